package kie

import "time"

// codeMeaning is the meaning of one code of kie.ai. A code has two classes: a
// failed submission depends on whether a task may exist, a failed read only on
// whether a retry can succeed.
type codeMeaning struct {
	reason string
	submit Class
	read   Class
	// delay is the wait before a retry if kie.ai sends no Retry-After.
	delay time.Duration
}

// codes is the one table of kie.ai's codes. They are values of the body field
// "code", most often under HTTP 200; 501, 505 and 455 do not mean what they mean
// as HTTP statuses. kie.ai documents 408, 413, 451, 531 and 550 for other
// families only, 433 in newer schemas, 405 for uploads. 403 is the CDN's.
var codes = map[int]codeMeaning{
	200: {reason: "no error", submit: Unknown, read: Temporary},
	400: {reason: "the request is malformed or violates kie.ai's content policy", submit: Refused, read: Refused},
	401: {reason: "kie.ai does not accept the API key", submit: Held, read: Temporary, delay: time.Minute},
	402: {reason: "not enough credits", submit: Held, read: Temporary, delay: 5 * time.Minute},
	403: {reason: "access denied by kie.ai or by the CDN in front of it", submit: Refused, read: Temporary, delay: time.Minute},
	404: {reason: "kie.ai has no such resource", submit: Refused, read: NotFound},
	405: {reason: "kie.ai does not support this method there", submit: Refused, read: Refused},
	// 408, 409 and 499 do not rule out that kie.ai processed the request.
	408: {reason: "the request timed out", submit: Unknown, read: Temporary},
	409: {reason: "the request conflicts with another one", submit: Unknown, read: Temporary},
	413: {reason: "kie.ai refused the request, perhaps for its size", submit: Refused, read: Refused},
	422: {reason: "kie.ai does not accept the parameters", submit: Refused, read: NotFound},
	429: {reason: "too many requests", submit: Held, read: Temporary, delay: 10 * time.Second},
	433: {reason: "the API key has reached its usage cap", submit: Held, read: Temporary, delay: 5 * time.Minute},
	451: {reason: "kie.ai could not download the source video", submit: Refused, read: Refused},
	455: {reason: "kie.ai is under maintenance", submit: Held, read: Temporary, delay: time.Minute},
	499: {reason: "the connection was closed before the response", submit: Unknown, read: Temporary},
	500: {reason: "internal error at kie.ai", submit: Unknown, read: Temporary},
	501: {reason: "the generation failed", submit: Unknown, read: Temporary},
	505: {reason: "kie.ai has switched this feature off", submit: Refused, read: Refused},
	531: {reason: "the generation failed and its credits were returned", submit: Unknown, read: Temporary},
	550: {reason: "internal error at kie.ai", submit: Unknown, read: Temporary},
}

// meaningOf returns the meaning of a code. A code outside the table is a refusal
// from 400 to 499. No other code rules out that a submission was accepted.
func meaningOf(code int) codeMeaning {
	if known, ok := codes[code]; ok {
		return known
	}
	switch {
	case code >= 400 && code < 500:
		return codeMeaning{reason: "kie.ai refused the request", submit: Refused, read: Refused}
	case code >= 500 && code < 600:
		return codeMeaning{reason: "internal error at kie.ai", submit: Unknown, read: Temporary}
	default:
		return codeMeaning{reason: "a code that kie.ai does not document", submit: Unknown, read: Temporary}
	}
}

// Reason is the meaning of a code of kie.ai in words. It is never empty.
func Reason(code int) string { return meaningOf(code).reason }
