// Pair plays two videos in step. Its time is that of side b; side a is at time + shift.
// One side leads. The other follows: within a frame by its speed, beyond by a seek. A
// side that has ended, stalls or fails does not lead, and the other goes on.
const unknownFrame = 1 / 25; // seconds
const resting = 1000; // milliseconds between two seeks of a follower

export class Pair {
  constructor(a, b, frameA, frameB, onChange) {
    this.b = side(b, frameB);
    this.a = a && side(a, frameA);
    this.sides = a ? [this.b, this.a] : [this.b];
    this.onChange = onChange;
    this.loop = true;
    this.playing = false;
    this.time = 0;
    for (const s of this.sides) {
      s.video.addEventListener('seeked', () => this.seeked(s));
      s.video.addEventListener('loadedmetadata', () => this.playing || this.seek(this.time));
      s.video.addEventListener('durationchange', onChange);
    }
  }

  get frame() { return this.b.failed && this.a ? this.a.frame : this.b.frame; }
  get length() {
    return Math.max(0, ...this.sides.filter(usable).map(s => s.video.duration - s.shift));
  }
  get frames() { return Math.max(1, Math.round(this.length / this.frame)); }
  // number is the index of the frame at the present time.
  get number() { return Math.min(this.frames - 1, Math.max(0, Math.floor(this.time / this.frame + 0.001))); }

  shiftBy(frames) {
    if (!this.a) return;
    this.a.shift = frames * this.frame;
    if (!this.playing) this.seek(this.time);
    this.onChange();
  }

  // seekFrame shows the middle of a frame, which no rounding moves to its neighbor.
  seekFrame(n) {
    const last = this.frames - 1;
    this.seek((Math.min(last, Math.max(0, n)) + 0.5) * this.frame);
  }

  seek(time) {
    this.time = time;
    for (const s of this.sides) if (usable(s)) place(s, within(s, time + s.shift));
    this.onChange();
  }

  seeked(s) {
    const next = s.next;
    s.next = undefined;
    if (this.playing) s.delay = Math.min(0.3, (performance.now() - s.sought) / 1000);
    if (next !== undefined) place(s, next);
  }

  play() {
    if (this.playing || !this.sides.some(usable)) return;
    if (this.time >= this.length - this.frame) this.seek(0);
    this.playing = true;
    this.tick();
    this.onChange();
  }

  pause() {
    this.playing = false;
    for (const s of this.sides) s.video.playbackRate = 1, s.video.pause();
    // Both sides stop at the same frame.
    this.seekFrame(this.number);
  }

  tick() {
    if (!this.playing) return;
    requestAnimationFrame(() => this.tick());
    const running = this.sides.filter(s => usable(s) && !past(s, this.time));
    if (!running.length) return this.end();
    for (const s of running) {
      // A side that begins later waits at its first frame.
      if (s.video.paused && this.time + s.shift >= 0 && !s.video.seeking) s.video.play().catch(() => {});
    }
    const lead = running.find(s => s.video.readyState >= 3 && !s.video.paused && !s.video.seeking);
    if (!lead) return;
    this.time = lead.video.currentTime - lead.shift;
    for (const s of running) if (s !== lead) follow(s, this.time + s.shift, Math.max(lead.frame, s.frame));
    this.onChange();
  }

  end() {
    if (this.loop) return this.seek(0);
    this.time = this.length;
    this.pause();
  }
}

const side = (video, frame) => ({video, frame: frame || unknownFrame, shift: 0, failed: false, sought: 0, delay: 0.03});
const usable = s => !s.failed && s.video.readyState >= 1 && Number.isFinite(s.video.duration);
const past = (s, time) => s.video.ended || time + s.shift >= s.video.duration - 0.001;
const within = (s, time) => Math.min(Math.max(0, time), Math.max(0, s.video.duration - s.frame / 2));

// place seeks, or remembers the place until the seek before it has ended.
function place(s, time) {
  s.next = s.video.seeking ? time : undefined;
  if (!s.video.seeking && Math.abs(s.video.currentTime - time) > 0.0005) s.video.currentTime = time;
}

function follow(s, time, frame) {
  if (s.video.seeking || s.video.readyState < 2) return;
  if (time < 0) {
    s.video.pause();
    return place(s, 0);
  }
  const behind = time - s.video.currentTime;
  if (Math.abs(behind) > frame && performance.now() - s.sought > resting) {
    // The other side goes on during the seek, for as long as the last one took.
    s.sought = performance.now();
    s.video.currentTime = within(s, time + s.delay);
  } else s.video.playbackRate = 1 + Math.max(-0.4, Math.min(0.4, 5 * behind));
}
