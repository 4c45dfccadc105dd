package kie

import (
	"fmt"
	"time"
)

// Model is a model of kie.ai that modifies a video, as far as lumaflow knows it. The
// limits are documented and not checked by lumaflow against the live service.
type Model struct {
	// Name is the value of --model and of kie.ai's field.
	Name string
	// Family is the name of the family of its contract.
	Family string
	// Source is the page of docs.kie.ai with the fields and limits.
	Source string
	// VideoField is the field of the source's address. With VideoList it holds a list.
	VideoField string
	VideoList  bool
	// PromptOptional means that a blank prompt is accepted. With NoPrompt the model has no
	// such field: kie.ai ignores the prompt of the job, which is sent all the same,
	// because its echo is evidence of whose task it is.
	PromptOptional, NoPrompt bool
	// MaxPrompt bounds the prompt in characters; zero means undocumented.
	MaxPrompt int
	// Options are the further fields.
	Options []Option
	// Clip are the limits of the source.
	Clip ClipLimits
	// Price is prose; empty means undocumented.
	Price string
	// Usual is the time that a task takes, Longest the longest time that was seen or is
	// documented, and TimeSource their origin.
	Usual, Longest time.Duration
	TimeSource     string
	// firstPoll replaces one and a half times Usual.
	firstPoll time.Duration
}

// ClipLimits are the limits of a source video. Zero values mean undocumented.
type ClipLimits struct {
	// Formats are extensions such as ".mp4".
	Formats          []string
	MinTime, MaxTime time.Duration
	MaxBytes         int64
	// MinPixels and MaxPixels bound each side; a MaxPixels of zero is no bound.
	MinPixels, MaxPixels int
}

// Sides describes the bounds of each side in pixels; empty without a bound.
func (c ClipLimits) Sides() string {
	switch {
	case c.MaxPixels > 0:
		return fmt.Sprintf("%d to %d", c.MinPixels, c.MaxPixels)
	case c.MinPixels > 0:
		return fmt.Sprintf("at least %d", c.MinPixels)
	default:
		return ""
	}
}

// FirstPoll is the delay of the first poll of a task whose callback is expected: long
// enough that a callback in time costs no poll, and short enough that a lost one is
// noticed soon.
func (m Model) FirstPoll() time.Duration {
	if m.firstPoll > 0 {
		return m.firstPoll
	}
	return m.Usual * 3 / 2
}

// InCatalogue reports whether kie.ai's catalogue has the model as long as kie.ai serves
// it. Whether it has its older families is not documented.
func (m Model) InCatalogue() bool { return m.Family == marketName && m.Name != unnamedModel }

// Models are the models with a row of their own, Luma first. Each is in the file of its
// family.
func Models() []Model {
	var all []Model
	for _, family := range families {
		all = append(all, family.models...)
	}
	return all
}

// ModelOf is the row of a model; the zero name is DefaultModel. known is false for
// other models, whose row has only defaults.
func ModelOf(name string) (model Model, known bool) {
	if name == "" {
		name = DefaultModel
	}
	for _, row := range Models() {
		if row.Name == name {
			return row, true
		}
	}
	family := marketName
	for _, known := range families {
		if known.model == name {
			family = known.name
		}
	}
	return Model{
		Name: name, Family: family, VideoField: "video_url",
		Usual: 5 * time.Minute, Longest: 20 * time.Minute, TimeSource: "not documented; the other models take 1 to 13 minutes",
	}, false
}

// mb reads 1 MB as 1,000,000 bytes, the smaller of its two meanings.
const mb = 1_000_000

var (
	mp4mov = []string{".mp4", ".mov"}
	seed   = Option{Name: "seed", Kind: Integer, Max: 1<<31 - 1}
)
