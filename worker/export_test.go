package worker

// LogVersionStatus is exported for its test.
var LogVersionStatus = logVersionStatus
