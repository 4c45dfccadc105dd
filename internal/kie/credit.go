package kie

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
)

const (
	opDownloadURL   = "download-url"
	downloadURLPath = "/api/v1/common/download-url"
	opCredit        = "credit"
	creditPath      = "/api/v1/chat/credit"
)

// DownloadURL asks for a fresh link to a file that kie.ai made; it lives for 20
// minutes. kie.ai takes its own links only and answers NotFound to others.
// Whether it revives files after their 14 days is not documented. It tries
// three times within 25 seconds.
func (c *Client) DownloadURL(ctx context.Context, url string) (link string, err error) {
	err = c.read(ctx, call{
		op:     opDownloadURL,
		method: http.MethodPost,
		url:    c.api.JoinPath(downloadURLPath).String(),
		body: struct {
			URL string `json:"url"`
		}{url},
		decode: func(got answer) error {
			if !got.ok() {
				return got.failed()
			}
			found := linksIn(got.fields["data"])
			if len(found) == 0 {
				return got.failure(Temporary, errors.New("the answer holds no link"))
			}
			link = found[0]
			return nil
		},
	})
	if err != nil {
		return "", err
	}
	return link, nil
}

// Credit asks for the balance of the account, in kie.ai's credits. It tries
// three times within 25 seconds.
func (c *Client) Credit(ctx context.Context) (balance float64, err error) {
	err = c.read(ctx, call{
		op:     opCredit,
		method: http.MethodGet,
		url:    c.api.JoinPath(creditPath).String(),
		decode: func(got answer) error {
			if !got.ok() {
				return got.failed()
			}
			text := strings.TrimSpace(asText(got.fields["data"]))
			number, err := strconv.ParseFloat(text, 64)
			if err != nil || math.IsNaN(number) || math.IsInf(number, 0) {
				return got.failure(Temporary, errors.New("the answer holds no balance"))
			}
			balance = number
			return nil
		},
	})
	if err != nil {
		return 0, err
	}
	return balance, nil
}
