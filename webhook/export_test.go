package webhook

// DelayShutdown is delayShutdown.
var DelayShutdown = delayShutdown
