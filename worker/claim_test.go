package worker_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"

	"lumaflow/internal/command"
	"lumaflow/worker"
)

// registry is what Temporal keeps of one version.
type registry struct {
	mu       sync.Mutex
	known    bool
	metadata map[string]*commonpb.Payload
	refuses  error
}

func (r *registry) DescribeVersion(_ context.Context, options client.WorkerDeploymentDescribeVersionOptions) (client.WorkerDeploymentVersionDescription, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.known || options.BuildID != "v2" {
		return client.WorkerDeploymentVersionDescription{}, serviceerror.NewNotFound("no such version")
	}
	return client.WorkerDeploymentVersionDescription{Info: client.WorkerDeploymentVersionInfo{
		CurrentSinceTime: time.Now(), Metadata: r.metadata,
	}}, nil
}

func (r *registry) UpdateVersionMetadata(_ context.Context, options client.WorkerDeploymentUpdateVersionMetadataOptions) (client.WorkerDeploymentUpdateVersionMetadataResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuses != nil {
		return client.WorkerDeploymentUpdateVersionMetadataResponse{}, r.refuses
	}
	metadata := map[string]*commonpb.Payload{}
	for key, value := range options.MetadataUpdate.UpsertEntries {
		metadata[key] = value.(*commonpb.Payload)
	}
	r.metadata = metadata
	return client.WorkerDeploymentUpdateVersionMetadataResponse{Metadata: metadata}, nil
}

func (r *registry) register() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known = true
}

// build is a worker process of one code.
type build struct {
	*worker.Claim
	log *told

	mu   sync.Mutex
	lost error
}

func (r *registry) build(code string) *build {
	b := &build{log: &told{}}
	b.Claim = worker.NewClaim(r, sdkworker.WorkerDeploymentVersion{DeploymentName: "lumaflow", BuildID: "v2"}, code,
		func(err error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.lost = err
		}, slog.New(slog.NewTextHandler(b.log, nil)))
	return b
}

func (b *build) refused() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lost
}

const otherCode = "TEMPORAL_WORKER_BUILD_ID v2 of deployment lumaflow belongs to other code (revision a; this is revision b), " +
	"whose open jobs this build may not be able to follow: give it a build id of its own"

func TestABuildIDBelongsToTheCodeThatCameFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		temporal := &registry{}
		first, again, other := temporal.build("revision a"), temporal.build("revision a"), temporal.build("revision b")
		require.NoError(t, worker.Check(first.Claim, t.Context()), "nobody has it")
		defer worker.Follow(first.Claim, t.Context())()
		temporal.register()
		time.Sleep(2 * time.Second)
		synctest.Wait()

		require.NoError(t, worker.Check(again.Claim, t.Context()))
		refused := worker.Check(other.Claim, t.Context())
		require.EqualError(t, refused, otherCode)
		require.Equal(t, command.ExitUsage, command.ExitCode(refused))

		time.Sleep(time.Hour)
		synctest.Wait()
		require.NoError(t, first.refused())
	})
}

func TestTwoBuildsComeUnderOneIDAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		temporal := &registry{}
		a, b := temporal.build("revision a"), temporal.build("revision b")
		require.NoError(t, worker.Check(a.Claim, t.Context()))
		require.NoError(t, worker.Check(b.Claim, t.Context()))
		temporal.register()
		defer worker.Follow(a.Claim, t.Context())()
		defer worker.Follow(b.Claim, t.Context())()
		time.Sleep(time.Minute)
		synctest.Wait()
		require.True(t, (a.refused() == nil) != (b.refused() == nil), "one of them stays: %v, %v", a.refused(), b.refused())
	})
}

func TestAClaimThatTemporalDoesNotTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		temporal := &registry{known: true, refuses: errors.New("not with this key")}
		a := temporal.build("revision a")
		require.NoError(t, worker.Check(a.Claim, t.Context()))
		stop := worker.Follow(a.Claim, t.Context())
		time.Sleep(time.Hour)
		stop()
		require.NoError(t, a.refused())
		said := a.log.take()
		require.Equal(t, 1, strings.Count(said, "could not note which code this build id belongs to"), said)
		require.Contains(t, said, "not with this key")
	})
}
