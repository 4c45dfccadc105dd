package audit_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	grace = 24 * time.Hour
	// video is the name of the first video of task t.
	video = "luma_result_t_1.mp4"
)
