package kie

// SubmitRequest is a task: one video in, one modified video out. The client leaves
// the validation of Prompt and VideoURL to kie.ai; see Check for the rest.
type SubmitRequest struct {
	// Model is kie.ai's name of the model; empty is DefaultModel.
	Model string
	// Prompt describes the change, for Luma Modify in English.
	Prompt string
	// VideoURL is the public address of the source.
	VideoURL string
	// CallbackURL receives a POST at the end of the task.
	CallbackURL string
	// Watermark is an optional identifier "for branding"; kie.ai documents no
	// more about it. Market's models take theirs in Options.
	Watermark string
	// Options are the model's own fields.
	Options map[string]any
	// VideoField is the name of the field for VideoURL, which is a list if VideoList is
	// set; empty means the one in the table of models.
	VideoField string
	VideoList  bool
	// Permit is called once, when the connection is ready and before the first byte of
	// the request. Its error ends the submission as NotSent. Nil permits.
	Permit func() error
}
