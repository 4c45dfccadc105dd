package jobs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"lumaflow/internal/command"
	"lumaflow/internal/kie"
	"lumaflow/internal/oneline"
)

const (
	// pricesTimeout bounds the look-up of all prices of a plan. kie.ai accepts one
	// request a second.
	pricesTimeout = 10 * time.Second
	// maxPriceText bounds a description in bytes.
	maxPriceText = 300
)

// kiePrice is kie.ai's description of the price of a model. It is prose, so that no
// number is taken from it.
type kiePrice struct {
	Model string `json:"model"`
	// Submissions counts the paid submissions of the model.
	Submissions int `json:"submissions"`
	// Text is empty if kie.ai has no description; Unavailable means that kie.ai did not
	// send one in time.
	Text        string `json:"text,omitempty"`
	Unavailable bool   `json:"unavailable,omitempty"`
}

// String describes the price for people, in one line.
func (p kiePrice) String() string {
	text := "none"
	switch {
	case p.Unavailable:
		text = "unavailable"
	case p.Text != "":
		text = fmt.Sprintf("%q", oneline.Truncate(p.Text, maxPriceText))
	}
	return fmt.Sprintf("%s, %d to be paid: %s", oneline.Clean(p.Model), p.Submissions, text)
}

// priceClient returns the client that reads the prices; nil if none are to be read. Its
// errors are usage errors.
func (c *BatchRunCommand) priceClient() (*kie.Client, error) {
	if c.KieAPIKey == "" || c.PricePerJob > 0 {
		return nil, nil
	}
	client, err := kie.New(kie.Options{BaseURL: c.KieBaseURL, APIKey: c.KieAPIKey, UserAgent: kie.UserAgent(command.Version())})
	if err != nil {
		return nil, command.Usagef("%w", err)
	}
	return client, nil
}

// kiePrices reads the descriptions of the models that are to be paid, in the order of
// their names. A plan does not depend on them: what can't be read is unavailable.
func (c *BatchRunCommand) kiePrices(ctx context.Context, client *kie.Client, models map[string]int) (prices []kiePrice) {
	if client == nil {
		return nil
	}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, pricesTimeout)
	defer cancel()
	for _, model := range slices.Sorted(maps.Keys(models)) {
		text, err := client.Price(ctx, model)
		failed, ok := errors.AsType[*kie.Error](err)
		absent := ok && failed.Class == kie.NotFound
		prices = append(prices, kiePrice{Model: model, Submissions: models[model], Text: text, Unavailable: err != nil && !absent})
	}
	return prices
}
