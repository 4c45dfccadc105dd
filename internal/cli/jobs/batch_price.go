package jobs

import (
	"cmp"
	"context"
	"io"
	"time"

	"lumaflow/internal/command"
	"lumaflow/internal/kie"
	"lumaflow/internal/oneline"
)

// priceTime bounds the requests for the prices of a plan, which are one a second.
const priceTime = 30 * time.Second

// catalogueFlags are the settings for kie.ai's catalogue.
type catalogueFlags struct {
	KieAPIKey  string `name:"kie-api-key" env:"KIE_API_KEY" secret:"" placeholder:"KEY" help:"API key of the kie.ai account, for the price texts of --plan."`
	KieBaseURL string `env:"KIE_BASE_URL" default:"https://api.kie.ai" placeholder:"URL" help:"Address of kie.ai's API (${default})."`
}

// priceText is kie.ai's own text about the price of a model.
type priceText struct {
	Model string `json:"model"`
	Text  string `json:"text"`
}

// priceTexts reads the price texts of models that kie.ai's catalogue has. They are free
// and prose, shown as they are. A text that can't be had is a line on out: a plan needs
// none.
func (f *catalogueFlags) priceTexts(ctx context.Context, models []string, out io.Writer) []priceText {
	if f.KieAPIKey == "" {
		return nil
	}
	client, err := kie.New(kie.Options{BaseURL: f.KieBaseURL, APIKey: f.KieAPIKey, UserAgent: kie.UserAgent(command.Version())})
	if err != nil {
		message(out, "kie.ai's price texts are left out: %s", oneline.Clean(err.Error()))
		return nil
	}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, priceTime)
	defer cancel()
	var texts []priceText
	for _, model := range models {
		text, err := client.Price(ctx, model)
		switch {
		case kie.ClassOf(err) == kie.NotFound, err == nil && text == "":
			row, _ := kie.ModelOf(model)
			texts = append(texts, priceText{model, cmp.Or(row.Price, "not documented") + " (kie.ai's catalogue has no price)"})
		case err != nil:
			message(out, "kie.ai's price texts are left out: %s", oneline.Clean(err.Error()))
			return texts
		default:
			texts = append(texts, priceText{model, text})
		}
	}
	return texts
}
