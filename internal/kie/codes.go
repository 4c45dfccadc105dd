package kie

import "time"

// verdict is what one code of kie.ai means. The class of a submission and of a
// read differ: a submission must know whether a task may exist, a read only
// whether to ask again.
type verdict struct {
	reason string
	submit Class
	read   Class
	// delay is how long to wait when kie.ai does not say.
	delay time.Duration
}

// verdicts is the one table of kie.ai's codes. They stand in the body field
// "code", most often under HTTP 200; 501, 505 and 455 are not their HTTP
// namesakes. 408, 413, 451, 531 and 550 are documented for sister families
// only, 433 in newer schemas, 405 for uploads. 403 comes from the CDN.
var verdicts = map[int]verdict{
	200: {reason: "accepted", submit: Unknown, read: Temporary},
	400: {reason: "kie.ai finds the request malformed or against its content policy", submit: Refused, read: Refused},
	401: {reason: "kie.ai does not accept the API key", submit: Held, read: Temporary, delay: time.Minute},
	402: {reason: "not enough credits", submit: Held, read: Temporary, delay: 5 * time.Minute},
	403: {reason: "access denied by kie.ai or by the CDN in front of it", submit: Refused, read: Temporary, delay: time.Minute},
	404: {reason: "kie.ai has nothing there", submit: Refused, read: NotFound},
	405: {reason: "kie.ai does not take this kind of request there", submit: Refused, read: Refused},
	// A request that timed out, collided with one like it, or was dropped by a
	// proxy may have been acted upon.
	408: {reason: "the request took too long", submit: Unknown, read: Temporary},
	409: {reason: "the request collides with another", submit: Unknown, read: Temporary},
	413: {reason: "kie.ai refused the request, perhaps for its size", submit: Refused, read: Refused},
	422: {reason: "kie.ai does not accept the parameters", submit: Refused, read: NotFound},
	429: {reason: "too many requests", submit: Held, read: Temporary, delay: 10 * time.Second},
	433: {reason: "the API key has reached its usage cap", submit: Held, read: Temporary, delay: 5 * time.Minute},
	451: {reason: "kie.ai could not download the source video", submit: Refused, read: Refused},
	455: {reason: "kie.ai is under maintenance", submit: Held, read: Temporary, delay: time.Minute},
	499: {reason: "the request was cut off on its way", submit: Unknown, read: Temporary},
	500: {reason: "kie.ai had an error of its own", submit: Unknown, read: Temporary},
	501: {reason: "the generation failed", submit: Unknown, read: Temporary},
	505: {reason: "kie.ai has switched this feature off", submit: Refused, read: Refused},
	531: {reason: "the generation failed and its credits were returned", submit: Unknown, read: Temporary},
	550: {reason: "kie.ai had an error of its own", submit: Unknown, read: Temporary},
}

// verdictOn returns what a code means. Of the codes that are not in the table,
// those that look like HTTP's 4xx are refusals; nothing else is explicit enough
// to rule out that a submission was accepted.
func verdictOn(code int) verdict {
	if known, ok := verdicts[code]; ok {
		return known
	}
	switch {
	case code >= 400 && code < 500:
		return verdict{reason: "kie.ai refused the request", submit: Refused, read: Refused}
	case code >= 500 && code < 600:
		return verdict{reason: "kie.ai had an error of its own", submit: Unknown, read: Temporary}
	default:
		return verdict{reason: "an answer that kie.ai does not document", submit: Unknown, read: Temporary}
	}
}

// Reason says in plain words what a code of kie.ai means. It is never empty.
func Reason(code int) string { return verdictOn(code).reason }
