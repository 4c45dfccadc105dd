package webhook

// Linger is what keeps a webhook that is to stop at its door.
var Linger = linger
