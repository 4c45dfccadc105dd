package kie

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"lumaflow/internal/oneline"
)

// The catalogue has a limit of its own: one request a second of an account for all its
// pages (kie.ai's agent skill, kie-models).
const (
	opCatalogue       = "catalogue"
	catalogueInterval = 1100 * time.Millisecond
	catalogueAttempts = 4
	// maxPrice bounds, in bytes, the text of a price.
	maxPrice = 500
	// maxListed bounds the models of a list. kie.ai has about 200.
	maxListed = 5000
)

var errNoCatalogue = errors.New("the catalogue has another form than documented")

// Listed is a model in kie.ai's catalogue.
type Listed struct {
	// Name is that of the requests, TaskTypes are such as "Video to Video".
	Name      string
	TaskTypes []string
	// Price is prose of kie.ai, on one line; empty if the catalogue has none.
	Price string
}

// Catalogue lists kie.ai's models, those whose name contains a text unless it is empty.
// It is free. That a model is missing is no proof: kie.ai documents not whether the
// catalogue has its older families. Errors are *Error.
func (c *Client) Catalogue(ctx context.Context, containing string) ([]Listed, error) {
	at := c.api.JoinPath("/api/v1/models")
	if containing != "" {
		at.RawQuery = "q=" + url.PathEscape(containing)
	}
	return catalogued(ctx, c, at, func(a answer) ([]Listed, error) {
		var models []json.RawMessage
		if err := json.Unmarshal(a.data["models"], &models); err != nil {
			return nil, a.newError(Refused, errNoCatalogue)
		}
		listed := make([]Listed, 0, min(len(models), maxListed))
		for _, raw := range models[:min(len(models), maxListed)] {
			model, err := parseObject(raw)
			if name := model.text("model"); err == nil && name != "" {
				listed = append(listed, Listed{oneline.Truncate(name, maxModel), textsInArray(model["taskType"]), oneline.Truncate(model.text("pricingDesc"), maxPrice)})
			}
		}
		return listed, nil
	})
}

// Price is kie.ai's own text about the price of a model, on one line; empty if kie.ai
// has none. It is free. The error is NotFound if the catalogue has no such model.
func (c *Client) Price(ctx context.Context, model string) (string, error) {
	return catalogued(ctx, c, c.modelPage(model, "price"), func(a answer) (string, error) {
		return oneline.Truncate(a.data.text("pricingDesc"), maxPrice), nil
	})
}

// SuccessRate is the mean success rate of a model in percent over the last 24 hours, as
// far as it had traffic; known is false if it had none. It is free. The error is NotFound
// if the catalogue has no such model.
func (c *Client) SuccessRate(ctx context.Context, model string) (percent float64, known bool, err error) {
	rates, err := catalogued(ctx, c, c.modelPage(model, "success-rate"), func(a answer) ([]float64, error) {
		// A bucket without traffic has null.
		var points []struct {
			Rate *float64 `json:"successRate"`
		}
		if err := json.Unmarshal(a.data["points"], &points); err != nil {
			return nil, a.newError(Refused, errNoCatalogue)
		}
		var rates []float64
		for _, point := range points {
			if point.Rate != nil && *point.Rate >= 0 && *point.Rate <= 100 {
				rates = append(rates, *point.Rate)
			}
		}
		return rates, nil
	})
	if err != nil || len(rates) == 0 {
		return 0, false, err
	}
	sum := 0.0
	for _, one := range rates {
		sum += one
	}
	return sum / float64(len(rates)), true, nil
}

// modelPage is the address of a page about a model. The slash of its name is not
// encoded.
func (c *Client) modelPage(model, page string) *url.URL {
	return c.api.JoinPath("/api/v1/models").JoinPath(strings.Split(url.PathEscape(model), "%2F")...).JoinPath(page)
}

// catalogued reads a page of the catalogue within its rate limit. Other processes share
// the limit of the account, so that a request over it is repeated, up to three times.
func catalogued[T any](ctx context.Context, c *Client, at *url.URL, decode func(answer) (T, error)) (result T, err error) {
	for range catalogueAttempts {
		if err := c.catalogue.Wait(ctx); err != nil {
			return result, &Error{Op: opCatalogue, Class: Temporary, Err: err}
		}
		result, err = read(ctx, c, readRequest{op: opCatalogue, method: http.MethodGet, url: at}, func(a answer) (none T, err error) {
			switch {
			case !a.readable():
				return none, a.readError()
			case a.data == nil:
				return none, a.newError(NotFound, errNoCatalogue)
			default:
				return decode(a)
			}
		})
		if failed, ok := errors.AsType[*Error](err); !ok || failed.Code != http.StatusTooManyRequests {
			break
		}
	}
	return result, err
}
