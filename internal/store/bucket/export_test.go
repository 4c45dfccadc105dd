package bucket

import (
	"context"
	"io"
	"time"

	"lumaflow/internal/store"
)

// SetStallTimeout replaces stallTimeout for a store.
func SetStallTimeout(opened store.Store, stall time.Duration) { opened.(*bucket).stall = stall }

// SetLag replaces defaultLag for a store.
func SetLag(opened store.Store, first, longest, total time.Duration) {
	opened.(*bucket).lag = lag{first, longest, total}
}

// HideWrites makes the attributes of a store's objects stay as they are for a time
// after each write. It returns the number of requests for attributes and of writes.
func HideWrites(opened store.Store, period time.Duration) (heads, puts *int) {
	b := opened.(*bucket)
	late := &lateCloud{cloud: b.cloud, period: period}
	b.cloud = late
	return &late.heads, &late.puts
}

type lateCloud struct {
	cloud
	period      time.Duration
	until       time.Time
	before      object
	err         error
	heads, puts int
}

func (c *lateCloud) head(ctx context.Context, key string) (object, error) {
	c.heads++
	if time.Now().Before(c.until) {
		return c.before, c.err
	}
	return c.cloud.head(ctx, key)
}

func (c *lateCloud) put(ctx context.Context, key string, content *content, body io.ReadSeeker, replaces string) error {
	c.puts++
	before, err := c.cloud.head(ctx, key)
	if putErr := c.cloud.put(ctx, key, content, body, replaces); putErr != nil {
		return putErr
	}
	c.before, c.err, c.until = before, err, time.Now().Add(c.period)
	return nil
}
