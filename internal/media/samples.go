package media

import "encoding/binary"

// readSamples checks the place of every sample of a track that the moov box
// describes. The samples of a chunk lie in one piece, so that one check covers them.
func (x *index) readSamples(t *track) error {
	if t.handler != handlerPicture && t.handler != handlerSound {
		return nil
	}
	sizes, err := x.sampleSizes(t)
	if err != nil || sizes == nil || sizes.left == 0 {
		return err
	}
	chunks, err := x.chunks(t)
	if err != nil {
		return err
	}
	for chunks.left > 0 && sizes.left > 0 {
		offset, samples, err := chunks.next()
		if err != nil {
			return err
		}
		samples = min(samples, sizes.left)
		bytes, err := sizes.sum(samples)
		if err != nil {
			return err
		}
		place, err := x.span(t, offset, bytes)
		if err != nil {
			return err
		}
		if err := x.checkHole(t, place); err != nil {
			return err
		}
		t.samples += uint64(samples)
		t.bytes = add(t.bytes, bytes)
	}
	if sizes.left > 0 {
		return problemf(Malformed, sizes.box.start, "%d samples of its track %d have no place", sizes.left, t.id)
	}
	t.units, err = x.sampleUnits(t)
	return err
}

// sizes are the sizes of the samples of a track in order: one for all, or a table.
type sizes struct {
	box   box
	left  uint32
	fixed uint32
	// bits is the width of an entry of the table.
	bits  uint32
	table *table
	// low is the second half of an entry of two sizes.
	low    uint64
	halved bool
}

// sampleSizes opens the stsz or stz2 box. It is nil if the track has none. (ISO/IEC
// 14496-12, 8.7.3)
func (x *index) sampleSizes(t *track) (*sizes, error) {
	found, ok := t.tables["stsz"]
	if !ok {
		found, ok = t.tables["stz2"]
	}
	if !ok {
		return nil, nil
	}
	head, err := x.tables.head(found, 12)
	if err != nil {
		return nil, err
	}
	field, count := binary.BigEndian.Uint32(head[4:]), binary.BigEndian.Uint32(head[8:])
	s := &sizes{box: found, left: count, bits: 32}
	if found.kind() == "stz2" {
		if s.bits = field & 0xff; s.bits != 4 && s.bits != 8 && s.bits != 16 {
			return nil, problemf(Malformed, found.start, "its stz2 box at byte %d has sizes of %d bits", found.start, s.bits)
		}
	} else if field > 0 {
		s.fixed = field
		return s, nil
	}
	s.table, err = x.tables.table(found, 12, (int64(count)*int64(s.bits)+7)/8, 1)
	return s, err
}

// sum adds up the sizes of the next n samples.
func (s *sizes) sum(n uint32) (bytes uint64, err error) {
	s.left -= n
	if s.table == nil {
		return uint64(n) * uint64(s.fixed), nil
	}
	for ; n > 0; n-- {
		size := s.low
		switch {
		case s.halved:
			s.halved = false
		case s.bits == 4:
			pair, err := s.table.number(1)
			if err != nil {
				return 0, err
			}
			size, s.low, s.halved = pair>>4, pair&0xf, true
		default:
			if size, err = s.table.number(int(s.bits / 8)); err != nil {
				return 0, err
			}
		}
		bytes = add(bytes, size)
	}
	return bytes, nil
}

// chunks are the chunks of a track in order.
type chunks struct {
	// left is the number of chunks that follow, number that of the last one, from 1.
	left, number uint32
	offsets      *table
	width        int
	// runs is the stsc box: from a chunk on, the number of samples of each.
	runs                 *table
	runsLeft, nextNumber uint32
	samples, nextSamples uint32
}

// chunks opens the stco or co64 and the stsc box. (ISO/IEC 14496-12, 8.7.4, 8.7.5)
func (x *index) chunks(t *track) (*chunks, error) {
	c := &chunks{width: 4}
	offsets, ok := t.tables["stco"]
	if !ok {
		offsets, ok = t.tables["co64"]
		c.width = 8
	}
	runs, described := t.tables["stsc"]
	if !ok || !described {
		return nil, problemf(Malformed, x.movie.start, "the samples of its track %d have no place", t.id)
	}
	var err error
	if c.offsets, c.left, err = x.entries(offsets, int64(c.width)); err != nil {
		return nil, err
	}
	if c.runs, c.runsLeft, err = x.entries(runs, 12); err != nil {
		return nil, err
	}
	if err := c.readRun(); err != nil {
		return nil, err
	}
	if c.nextNumber > 1 {
		return nil, problemf(Malformed, runs.start, "the first samples of its track %d have no place", t.id)
	}
	c.samples = c.nextSamples
	return c, c.readRun()
}

// entries opens a table whose number of entries is its first field.
func (x *index) entries(found box, width int64) (*table, uint32, error) {
	head, err := x.tables.head(found, 8)
	if err != nil {
		return nil, 0, err
	}
	count := binary.BigEndian.Uint32(head[4:])
	opened, err := x.tables.table(found, 8, int64(count), width)
	return opened, count, err
}

// readRun reads the next run of chunks. Its number is 0 after the last one.
func (c *chunks) readRun() error {
	if c.nextNumber = 0; c.runsLeft == 0 {
		return nil
	}
	c.runsLeft--
	entry, err := c.runs.next(12)
	if err != nil {
		return err
	}
	c.nextNumber, c.nextSamples = binary.BigEndian.Uint32(entry), binary.BigEndian.Uint32(entry[4:])
	return nil
}

// next returns the place of the next chunk and the number of its samples.
func (c *chunks) next() (offset uint64, samples uint32, err error) {
	c.left--
	c.number++
	for c.nextNumber > 0 && c.number >= c.nextNumber {
		c.samples = c.nextSamples
		if err := c.readRun(); err != nil {
			return 0, 0, err
		}
	}
	offset, err = c.offsets.number(c.width)
	return offset, c.samples, err
}

// sampleUnits adds up the durations of the samples, in units of the track. (ISO/IEC
// 14496-12, 8.6.1.2)
func (x *index) sampleUnits(t *track) (units uint64, err error) {
	missing := problemf(Malformed, x.movie.start, "the samples of its track %d have no durations", t.id)
	found, ok := t.tables["stts"]
	if !ok {
		return 0, missing
	}
	runs, count, err := x.entries(found, 8)
	if err != nil {
		return 0, err
	}
	if count == 0 {
		return 0, missing
	}
	for left := t.samples; count > 0 && left > 0; count-- {
		entry, err := runs.next(8)
		if err != nil {
			return 0, err
		}
		samples := min(left, uint64(binary.BigEndian.Uint32(entry)))
		left -= samples
		units = add(units, samples*uint64(binary.BigEndian.Uint32(entry[4:])))
	}
	return units, nil
}
