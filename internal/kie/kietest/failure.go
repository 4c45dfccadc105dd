package kietest

// failure is the reason why a generation gave no video.
type failure struct {
	lumaFlag int
	code     int
	message  string
}

// failures are the faults of the generation itself.
var failures = []struct {
	fault   string
	failure failure
}{
	{CreateFailed, failure{lumaFlagCreateFailed, codeServerError, "upstream could not create the task"}},
	{Moderation, failure{lumaFlagGenerateFailed, codeBadRequest, "The content was rejected by the moderation policy"}},
	{GenerationFailed, failure{lumaFlagGenerateFailed, codeFailed, "生成失败，请稍后重试"}},
}

// sourceGone is the failure of a task whose upload can't be fetched. kie.ai does
// not document this case; the simulator takes the worst one, a charge without a
// video.
var sourceGone = failure{lumaFlagCreateFailed, codeBadRequest, "the input video could not be downloaded"}

// failureOf returns nil if the generation succeeds.
func (s *Server) failureOf(t *task) *failure {
	if _, _, gone := s.uploaded(t); gone {
		return &sourceGone
	}
	for _, entry := range failures {
		if s.inject(&t.faults, entry.fault, 1) {
			return &entry.failure
		}
	}
	return nil
}
