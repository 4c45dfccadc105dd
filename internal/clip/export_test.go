package clip

const (
	MaxAttempts = maxAttempts
	FetchMargin = fetchMargin
)
