package kie

// The family Veo 3.1 (docs.kie.ai, veo3-api/get-veo-3-video-details) makes videos of
// texts and pictures, so that its tasks are only collected. Its record echoes no
// callback URL in kie.ai's samples, and may be gone after 14 days. A callback names
// data.taskId.
var _ = register(family{
	name:       "Veo 3.1",
	model:      "veo",
	recordPath: "/api/v1/veo/record-info",
	state: func(data object) (State, int) {
		// Flags 0 to 3 have Luma's meaning.
		flag := flagOf(data)
		return lumaState(flag), flag
	},
	// The whole video of an extended task comes before its last part. originUrls are no
	// results.
	results: func(data object) foundLinks { return data.child("response").links("fullResultUrls", "resultUrls") },
	echo:    func(data object) echo { return data.child("paramJson").request() },
})
