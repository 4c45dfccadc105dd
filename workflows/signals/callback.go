package signals

// CallbackPayload is the payload of Callback. It is a hint: the job confirms it
// with record-info.
type CallbackPayload struct {
	TaskID string `json:"taskId"`
	Code   int    `json:"code"`
	Msg    string `json:"msg"`
	// ResultURLs are the links in the callback. They are fetched only if record-info
	// answers only errors for ten minutes.
	ResultURLs []string `json:"resultUrls,omitempty"`
}

// Callback is one value for both ends of the signal: the webhook sends it, the
// workflow receives it.
var Callback = Signal[CallbackPayload]{
	Name:        "callback",
	Description: "kie.ai reports that a task has ended; the job confirms it with record-info",
}
