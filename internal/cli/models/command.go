// Package models is the command that lists the models of kie.ai that modify a video.
package models

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/mattn/go-runewidth"

	"lumaflow/internal/cli/terminal"
	"lumaflow/internal/command"
	"lumaflow/internal/kie"
	"lumaflow/internal/oneline"
)

// Command is lumaflow models.
type Command struct {
	Live       bool   `help:"Add kie.ai's own price texts and today's success rates: two free requests a model, one a second."`
	JSON       bool   `name:"json" help:"Print one JSON object."`
	KieAPIKey  string `name:"kie-api-key" env:"KIE_API_KEY" secret:"" placeholder:"KEY" help:"API key of the kie.ai account, for --live."`
	KieBaseURL string `env:"KIE_BASE_URL" default:"https://api.kie.ai" placeholder:"URL" help:"Address of kie.ai's API (${default})."`
}

// Help describes the table and its sources.
func (Command) Help() string {
	return `Lists the models that lumaflow checks before they are paid: the limits of the source video, the options, the usual time of a task and
the price, as kie.ai's pages have them. Any other model of kie.ai's Market that takes a video works as well: its options are checked against kie.ai's
catalogue. kie.ai no longer documents Luma Modify, and has not announced its end.

--live reads kie.ai's catalogue with KIE_API_KEY. Its answers are kept for ten minutes in the cache folder of the user.

Examples:
  lumaflow models
  lumaflow models --live
  lumaflow models --json | jq -r '.models[] | select(.family == "market").name'`
}

// model is one row. Its names in JSON are part of the command line.
type model struct {
	Name     string   `json:"name"`
	Family   string   `json:"family"`
	Source   string   `json:"source"`
	Formats  []string `json:"formats,omitempty"`
	MinTime  float64  `json:"minSeconds,omitempty"`
	MaxTime  float64  `json:"maxSeconds,omitempty"`
	MaxBytes int64    `json:"maxBytes,omitempty"`
	// MinPixels and MaxPixels are those of each side.
	MinPixels int      `json:"minPixels,omitempty"`
	MaxPixels int      `json:"maxPixels,omitempty"`
	Options   []string `json:"options"`
	// Required are those of the options that a request must have.
	Required []string `json:"required,omitempty"`
	// NoPrompt means that kie.ai ignores the prompt.
	NoPrompt bool `json:"noPrompt,omitempty"`
	// UsualSeconds is the time that a task takes, TimeSource its origin.
	UsualSeconds float64 `json:"usualSeconds"`
	TimeSource   string  `json:"timeSource"`
	// Price is prose of kie.ai's pages; empty if it is not documented.
	Price string `json:"price,omitempty"`
	Live  *live  `json:"live,omitempty"`
	// sides describes the pixels.
	sides string
	// catalogued means that kie.ai's catalogue has the model as long as kie.ai serves it.
	catalogued bool
}

// Run prints the models, also those that kie.ai's catalogue could not be read for.
func (c *Command) Run(ctx context.Context, streams command.Streams) error {
	rows := table()
	var unread error
	if c.Live {
		if c.KieAPIKey == "" {
			return command.Usagef("KIE_API_KEY is not set, and --live reads kie.ai's catalogue: make a key at https://kie.ai/api-key")
		}
		client, err := kie.New(kie.Options{BaseURL: c.KieBaseURL, APIKey: c.KieAPIKey, UserAgent: kie.UserAgent(command.Version())})
		if err != nil {
			return command.Usagef("%w", err)
		}
		defer client.CloseIdleConnections()
		unread = addLive(ctx, client, openCache(c.KieBaseURL, time.Now), rows)
	}
	if c.JSON {
		return cmp.Or(command.WriteJSON(streams.Out, struct {
			Models []model `json:"models"`
		}{rows}), unread)
	}
	return cmp.Or(write(streams.Out, rows), unread)
}

func table() []model {
	var rows []model
	for _, known := range kie.Models() {
		row := model{
			Name: known.Name, Family: strings.ToLower(known.Family), Source: known.Source,
			Formats: known.Clip.Formats, MinTime: known.Clip.MinTime.Seconds(), MaxTime: known.Clip.MaxTime.Seconds(),
			MaxBytes: known.Clip.MaxBytes, MinPixels: known.Clip.MinPixels, MaxPixels: known.Clip.MaxPixels,
			Options: []string{}, NoPrompt: known.NoPrompt, sides: known.Clip.Sides(), catalogued: known.InCatalogue(), UsualSeconds: known.Usual.Seconds(), TimeSource: known.TimeSource, Price: known.Price,
		}
		for _, option := range known.Options {
			row.Options = append(row.Options, option.Name)
			if option.Required {
				row.Required = append(row.Required, option.Name)
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// write prints the models for people.
func write(out io.Writer, rows []model) error {
	var lines []terminal.Row
	for _, row := range rows {
		line := terminal.Row{Cells: []string{row.Name, row.Family, row.clip(), usual(row.UsualSeconds)}}
		if len(row.Options) > 0 {
			line.Below = append(line.Below, "options: "+strings.Join(row.Options, ", "))
		}
		if len(row.Required) > 0 {
			line.Below = append(line.Below, "required: "+strings.Join(row.Required, ", "))
		}
		if row.NoPrompt {
			line.Below = append(line.Below, "kie.ai ignores the prompt")
		}
		price := row.Price
		if row.Live != nil {
			price = cmp.Or(row.Live.Price, price)
			line.Below = append(line.Below, row.Live.text(row.catalogued))
		}
		if price != "" {
			line.Below = append(line.Below, "price: "+oneline.Clean(price))
		}
		line.Below = slices.Concat(wrapped(line.Below)...)
		lines = append(lines, line)
	}
	return terminal.WriteTable(out, []string{"MODEL", "FAMILY", "SOURCE VIDEO", "USUAL TIME"}, lines)
}

// maxLine is the width, in columns, of a line below a row. A table cuts a longer one.
const maxLine = 76

// wrapped breaks texts between words.
func wrapped(texts []string) (all [][]string) {
	for _, text := range texts {
		var lines []string
		for word := range strings.FieldsSeq(text) {
			last := len(lines) - 1
			switch {
			case last < 0:
				lines = append(lines, word)
			case runewidth.StringWidth(lines[last]+" "+word) <= maxLine:
				lines[last] += " " + word
			default:
				lines = append(lines, "  "+word)
			}
		}
		all = append(all, lines)
	}
	return all
}

// clip describes the limits of the source video.
func (m model) clip() string {
	var limits []string
	if len(m.Formats) > 0 {
		limits = append(limits, strings.ReplaceAll(strings.Join(m.Formats, ", "), ".", ""))
	}
	switch {
	case m.MinTime > 0:
		limits = append(limits, fmt.Sprintf("%g to %g s", m.MinTime, m.MaxTime))
	case m.MaxTime > 0:
		limits = append(limits, fmt.Sprintf("at most %g s", m.MaxTime))
	}
	if m.MaxBytes > 0 {
		limits = append(limits, "at most "+humanize.Bytes(uint64(m.MaxBytes)))
	}
	if m.sides != "" {
		limits = append(limits, m.sides+" px")
	}
	return cmp.Or(strings.Join(limits, "; "), "not documented")
}

// usual is a time in minutes, or in seconds below two minutes.
func usual(seconds float64) string {
	if seconds < 120 {
		return fmt.Sprintf("%g s", seconds)
	}
	return fmt.Sprintf("%.0f min", seconds/60)
}
