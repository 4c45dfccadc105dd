package kie

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

const (
	opPrice       = "price"
	cataloguePath = "/api/v1/models"
	// catalogueInterval is the least time between two requests for the catalogue:
	// kie.ai accepts one a second of an account, for schemas, prices and lists together.
	catalogueInterval = time.Second
)

// Price is the description of the price of a model in kie.ai's catalogue (GET
// /api/v1/models/{model}/price), which is free. It is prose for people without a
// documented form; empty if kie.ai has none. The error is NotFound if the catalogue
// lacks the model. Requests for the catalogue wait for their turn, one a second of this
// client.
func (c *Client) Price(ctx context.Context, model string) (description string, err error) {
	return read(ctx, c, readRequest{
		op:     opPrice,
		method: http.MethodGet,
		url:    c.catalogueURL(model, "price"),
	}, func(a answer) (string, error) {
		switch {
		case !a.readable():
			return "", a.readError()
		case a.data == nil:
			return "", a.newError(Temporary, errors.New("the answer holds no price"))
		default:
			return a.data.text("pricingDesc"), nil
		}
	})
}

// catalogueURL is the address of a part of a model's entry. The slash of a name is not
// encoded.
func (c *Client) catalogueURL(model, part string) *url.URL {
	return c.api.JoinPath(cataloguePath).JoinPath(strings.Split(url.PathEscape(model), "%2F")...).JoinPath(part)
}

// pacedCatalogue delays the requests for the catalogue, repeated ones too.
type pacedCatalogue struct {
	http.RoundTripper
	limiter *rate.Limiter
	prefix  string
}

func newPacedCatalogue(next http.RoundTripper, api *url.URL) pacedCatalogue {
	// Without a path of its own the base URL yields one without a leading slash.
	prefix := "/" + strings.TrimLeft(api.JoinPath(cataloguePath).Path, "/")
	return pacedCatalogue{next, rate.NewLimiter(rate.Every(catalogueInterval), 1), prefix}
}

// RoundTrip implements http.RoundTripper.
func (p pacedCatalogue) RoundTrip(request *http.Request) (*http.Response, error) {
	if strings.HasPrefix(request.URL.Path, p.prefix) {
		if err := p.limiter.Wait(request.Context()); err != nil {
			return nil, err
		}
	}
	return p.RoundTripper.RoundTrip(request)
}

// CloseIdleConnections closes the idle connections of the transport.
func (p pacedCatalogue) CloseIdleConnections() {
	(&http.Client{Transport: p.RoundTripper}).CloseIdleConnections()
}
