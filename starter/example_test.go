package starter_test

import (
	"context"
	"fmt"
	"log"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"

	"lumaflow/starter"
	"lumaflow/workflows"
)

// Submit starts a job, or returns the job that has the same request: calling it
// twice pays once.
func ExampleStarter_Submit() {
	temporal, err := client.Dial(envconfig.MustLoadDefaultClientOptions())
	if err != nil {
		log.Fatal(err)
	}
	defer temporal.Close()
	jobs := starter.New(temporal, starter.Options{})

	job, err := jobs.Submit(context.Background(), workflows.ModifyVideoInput{
		Prompt:   "Turn the street into a snowy winter night",
		VideoURL: "https://cdn.example.org/in.mp4",
	}, "")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("see it with: lumaflow status", job.WorkflowID)
}
