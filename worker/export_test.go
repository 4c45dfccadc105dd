package worker

// FollowPart is for tests of what the log is told.
var FollowPart = followPart
