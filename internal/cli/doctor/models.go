package doctor

import (
	"context"
	"slices"
	"strings"

	"lumaflow/internal/kie"
)

// checkModels compares lumaflow's table of models with kie.ai's catalogue. It never
// fails: kie.ai documents not whether the catalogue has its older models.
func (e *examination) checkModels(ctx context.Context) Finding {
	provider, err := e.Provider(e.logger)
	if err != nil {
		return e.skipped("key", err, "the check of the key fails")
	}
	defer provider.CloseIdleConnections()
	listed, err := provider.Catalogue(ctx, "")
	if err != nil {
		return warnf("kie.ai's catalogue can't be read (%s), so that its models are unknown; jobs of the models in `lumaflow models` work without it", brief(err))
	}
	return modelsFinding(listed, e.simulated(ctx))
}

// modelsFinding names the models that the catalogue lacks. Market's models are all in
// it; Luma Modify is in no page of kie.ai's since August 2026.
func modelsFinding(listed []kie.Listed, simulated bool) Finding {
	has := func(name string) bool {
		return slices.ContainsFunc(listed, func(model kie.Listed) bool { return model.Name == name })
	}
	var missing []string
	for _, model := range kie.Models() {
		if model.InCatalogue() && !has(model.Name) {
			missing = append(missing, model.Name)
		}
	}
	const other = "; `lumaflow models` lists the others"
	switch {
	case len(missing) > 0:
		return warnf("kie.ai's catalogue lacks %s: new jobs of these models may be refused"+other, strings.Join(missing, ", "))
	case simulated, slices.ContainsFunc(listed, func(model kie.Listed) bool { return strings.Contains(strings.ToLower(model.Name), kie.DefaultModel) }):
		return okf("kie.ai's catalogue has the models that lumaflow has a table of")
	default:
		return warnf("kie.ai's catalogue has the models that lumaflow has a table of, but kie.ai no longer documents Luma Modify, the default: a submission may be refused with code 404, 422 or 505" + other)
	}
}
