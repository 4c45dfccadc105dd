package kie

import (
	"context"
	"errors"
	"net/http"
)

const (
	opDownloadURL   = "download-url"
	downloadURLPath = "/api/v1/common/download-url"
)

// DownloadURL returns a fresh link to a file that kie.ai generated. kie.ai
// documents that the link is valid for 20 minutes and that links of other hosts
// are rejected: the error is NotFound. It does not document whether a file can
// be linked after its 14 days. DownloadURL makes at most three requests within
// 25 seconds.
func (c *Client) DownloadURL(ctx context.Context, url string) (link string, err error) {
	return read(ctx, c, readRequest{
		op:     opDownloadURL,
		method: http.MethodPost,
		url:    c.api.JoinPath(downloadURLPath),
		body: struct {
			URL string `json:"url"`
		}{url},
	}, func(a answer) (string, error) {
		if !a.readable() {
			return "", a.readError()
		}
		links := linksIn(a.fields["data"])
		if len(links) == 0 {
			return "", a.newError(Temporary, errors.New("the answer holds no link"))
		}
		return links[0], nil
	})
}
