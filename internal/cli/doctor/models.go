package doctor

import (
	"context"
	"slices"
	"strings"

	"lumaflow/internal/kie"
	"lumaflow/starter"
)

// checkModels compares the models in use with kie.ai's catalogue. It never fails:
// kie.ai does not document whether the catalogue has its older models.
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
	return modelsFinding(listed, e.modelsInUse(ctx), e.simulated(ctx))
}

// modelsInUse are the models of the namespace's open and recent jobs; none if there are
// no such jobs or Temporal does not list them.
func (e *examination) modelsInUse(ctx context.Context) []string {
	temporal, err := e.temporal()
	if err != nil {
		return nil
	}
	server, _ := e.server()
	used, err := starter.New(temporal, starter.Options{Namespace: server.Namespace, Codec: server.Codec}).ModelsInUse(ctx)
	if err != nil {
		e.logger.Debug("the models in use can't be listed", "error", err)
	}
	return used
}

// modelsFinding names the models in use that the catalogue lacks, and without any in use
// those of lumaflow's table. Market's models are all in the catalogue; Luma Modify is in
// no page of kie.ai's since August 2026.
func modelsFinding(listed []kie.Listed, used []string, simulated bool) Finding {
	compared := used
	if len(used) == 0 {
		for _, model := range kie.Models() {
			compared = append(compared, model.Name)
		}
	}
	var found, missing []string
	for _, name := range compared {
		model, _ := kie.ModelOf(name)
		switch {
		case !model.InCatalogue():
		case slices.ContainsFunc(listed, func(model kie.Listed) bool { return model.Name == name }):
			found = append(found, name)
		default:
			missing = append(missing, name)
		}
	}
	const other = "; `lumaflow models` lists the others"
	luma := func(model kie.Listed) bool { return strings.Contains(strings.ToLower(model.Name), kie.DefaultModel) }
	var warnings []string
	if len(missing) > 0 {
		warnings = append(warnings, "kie.ai's catalogue lacks "+strings.Join(missing, ", ")+": new jobs of these models may be refused")
	}
	if slices.Contains(compared, kie.DefaultModel) && !simulated && !slices.ContainsFunc(listed, luma) {
		warnings = append(warnings, "kie.ai no longer documents Luma Modify, the default model: a submission may be refused with code 404, 422 or 505")
	}
	switch {
	case len(warnings) > 0:
		return warnf("%s", strings.Join(warnings, "; ")+other)
	case len(used) == 0:
		return okf("kie.ai's catalogue has the models that lumaflow has a table of")
	case len(found) == 0:
		return okf("the jobs here use %s, which kie.ai's catalogue need not list", strings.Join(used, ", "))
	default:
		return okf("kie.ai's catalogue has the models that the jobs here use: %s", strings.Join(found, ", "))
	}
}
