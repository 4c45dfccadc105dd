package e2e_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie/kietest"
	"lumaflow/workflows"
)

// A job of each family that submits ends with its verified file although no record of
// its task can be read: ten minutes after its callback, by the links in that.
func TestCallbackLinksInALongOutage(t *testing.T) {
	if os.Getenv(realTimesVariable) == "" {
		t.Skipf("set %s=1: it takes 11 minutes", realTimesVariable)
	}
	t.Parallel()
	w := enter(t, setup{})
	jobs := []struct{ id, model, prompt string }{
		{"outage-luma", "luma", "snow"}, {"outage-market", "wan/2-7-videoedit", "fog"}, {"outage-aleph-1", "aleph", "b"}, {"outage-aleph-2", "aleph", "rain"},
	}
	for i := range jobs {
		jobs[i].prompt += " [fault: " + kietest.RecordDown + "]"
		// Another address would select another form of Aleph's callback.
		w.start(jobs[i].id, fmt.Sprintf(`{"prompt":%q,"videoUrl":"https://cdn.example.org/in.mp4","model":%q}`, jobs[i].prompt, jobs[i].model))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 11*time.Minute+patience)
	defer cancel()
	for _, job := range jobs {
		var result workflows.ModifyVideoResult
		require.NoError(t, w.client.GetWorkflow(ctx, job.id, "").Get(ctx, &result), job.id)
		w.verified(result, w.charge(job.prompt))
		t.Logf("%s: %d file(s)", job.id, len(result.Videos))
	}
	require.Equal(t, len(jobs), w.ledger().Charges)
}
