package store_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"lumaflow/internal/store"
)

// Files of other models than Luma Modify have another word and the same rules.
func TestNamingOfOtherModels(t *testing.T) {
	t.Parallel()
	video, receipt, source := store.KIE.VideoName("beach", "t1", 2, ".mov"), store.KIE.ReceiptName("beach", "t1"), store.KIE.SourceName("beach", "t1", ".avi")
	assert.Equal(t, "beach_kie_result_t1_2.mov", video)
	assert.Equal(t, "beach_kie_result_t1.json", receipt)
	assert.Equal(t, "beach_kie_source_t1.avi", source)
	assert.True(t, store.IsReceiptName(receipt))
	assert.True(t, store.IsSourceName(source))
	for _, name := range []string{video, source} {
		listed, ok := store.ReceiptNameOf(name)
		assert.True(t, ok)
		assert.Equal(t, receipt, listed)
	}
	assert.NotEqual(t, store.KIE.VideoName("luma_result", "t1", 1, ".mp4"), store.Luma.VideoName("kie_result", "t1", 1, ".mp4"))
	assert.Contains(t, store.Luma.ReceiptName("", "x_kie_source_y"), "~", "a second word is ambiguous")
}
