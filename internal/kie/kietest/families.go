package kietest

import "net/http"

// family is a group of models with one contract: a file each.
type family struct {
	// model is the only model of the family; marketModel for Market, whose requests name
	// one.
	model string
	// routes adds the paths of submissions and records.
	routes func(*Server, *http.ServeMux)
	// callback is the body of a finished task's callback; urls is empty for a failed one.
	callback func(s *Server, t *task, urls []string) []byte
	// single means that a record has place for one result, refunds that a failed task
	// costs nothing.
	single, refunds bool
}

var families []*family

// register adds the family of a file.
func register(f family) { families = append(families, &f) }

// familyOf is the family of a submission's model; empty is Luma Modify.
func familyOf(model string) *family {
	var market *family
	for _, f := range families {
		switch f.model {
		case orElse(model, lumaModel):
			return f
		case marketModel:
			market = f
		}
	}
	return market
}

// family is that of the task.
func (t *task) family() *family { return familyOf(t.request.Model) }

// cost is the charge for a task. kie.ai documents 0 for failed tasks of Market. Callers
// hold Server.mu.
func (t *task) cost() float64 {
	if t.failure != nil && t.family().refunds {
		return 0
	}
	return Price
}
