package kietest

// family is a group of models with one contract.
type family int

const (
	luma family = iota
	market
	aleph
)

// familyOf is the family of a submission's model.
func familyOf(model string) family {
	switch model {
	case "":
		return luma
	case "aleph":
		return aleph
	default:
		return market
	}
}

// cost is the charge for a task. kie.ai documents 0 for failed tasks of Market. Callers
// hold Server.mu.
func (t *task) cost() float64 {
	if t.failure != nil && familyOf(t.request.Model) == market {
		return 0
	}
	return Price
}
