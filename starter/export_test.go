package starter

// Unexported names that the tests use.
var (
	Activities = []string{submitActivity, pollActivity, downloadActivity, identifyActivity, receiptActivity}
)

const (
	Outage         = outage
	ResolveTimeout = resolveTimeout
	MaxInterval    = maxInterval
	MaxConcurrent  = maxConcurrent
)

func (f Filter) Query() string { return f.query() }
