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
	opCredit    = "credit"
	balancePath = "/api/v1/chat/credit"
)

// Credit returns the balance of the account, in kie.ai's credits. It makes at
// most three requests within 25 seconds.
func (c *Client) Credit(ctx context.Context) (balance float64, err error) {
	return read(ctx, c, readRequest{
		op:     opCredit,
		method: http.MethodGet,
		url:    c.api.JoinPath(balancePath),
	}, func(a answer) (float64, error) {
		if !a.readable() {
			return 0, a.readError()
		}
		balance, err := strconv.ParseFloat(strings.TrimSpace(asText(a.fields["data"])), 64)
		if err != nil || math.IsNaN(balance) || math.IsInf(balance, 0) {
			return 0, a.newError(Temporary, errors.New("the answer holds no balance"))
		}
		return balance, nil
	})
}
