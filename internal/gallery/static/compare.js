import * as marks from './marks.js';
import {observe} from './posters.js';
import {Pair} from './pair.js';

const at = id => document.getElementById(id);
const main = at('compare'), stage = at('stage'), a = at('a'), b = at('b'), split = at('split'), scrub = at('scrub'), note = at('note');
const name = main.dataset.name;
const pair = new Pair(a, b, Number(main.dataset.frameA), Number(main.dataset.frameB), render);

// state is what the address holds beside the names of the videos.
const address = new URLSearchParams(location.search);
const number = (key, from, to, otherwise) => {
  const value = address.has(key) ? Number(address.get(key)) : NaN;
  return value >= from && value <= to ? value : otherwise;
};
const one = (key, ...values) => (values.includes(address.get(key)) ? address.get(key) : values[0]);
const state = {
  view: one('view', 'wipe', 'side', 'ab'), show: one('show', 'b', 'a'), split: number('split', 0, 100, 50),
  offset: Math.round(number('offset', -10000, 10000, 0)), fit: one('fit', 'fit', 'fill'), loop: one('loop', '1', '0'),
  sound: one('sound', '', 'a', 'b', 'ab'), f: Math.round(number('f', 0, 1e6, 0)),
};
const usual = {view: 'wipe', show: 'b', split: 50, offset: 0, fit: 'fit', loop: '1', sound: '', f: 0};

// keep writes the state into the address. Browsers bound how often that may happen.
let keeping;
function keep() {
  clearTimeout(keeping);
  keeping = setTimeout(() => {
    if (!pair.playing) state.f = pair.length ? pair.number : state.f;
    for (const [key, value] of Object.entries(state)) {
      if (value === usual[key]) address.delete(key);
      else address.set(key, value);
    }
    history.replaceState(null, '', '?' + address);
  }, 150);
}

// set changes a part of the state and shows it.
function set(change) {
  Object.assign(state, change);
  apply();
  keep();
}

function apply() {
  stage.dataset.view = state.view;
  stage.dataset.show = state.show;
  stage.dataset.fit = state.fit;
  stage.style.setProperty('--split', state.split + '%');
  if (split) {
    split.value = state.split;
    document.querySelector(`[name=view][value=${state.view}]`).checked = true;
    at('offset').value = state.offset + (Math.abs(state.offset) === 1 ? ' frame' : ' frames');
  }
  pressed('fit', state.fit === 'fill');
  pressed('loop', pair.loop = state.loop === '1');
  for (const {video} of pair.sides) {
    video.muted = !state.sound.includes(video.id);
    pressed('sound-' + video.id, !video.muted);
  }
  pair.shiftBy(state.offset);
}

const pressed = (id, on) => at(id).setAttribute('aria-pressed', String(on));

// render shows the time. The pair calls it often.
function render() {
  if (!pair) return;
  scrub.max = pair.frames - 1;
  scrub.value = pair.number;
  at('clock').value = `${Math.max(0, pair.time).toFixed(2)} / ${pair.length.toFixed(2)} s · ${pair.number}`;
  scrub.setAttribute('aria-valuetext', `frame ${pair.number} of ${pair.frames}`);
  const play = at('play');
  if (play.dataset.playing === String(pair.playing)) return;
  play.dataset.playing = pair.playing;
  play.setAttribute('aria-label', pair.playing ? 'Pause' : 'Play');
}

function seek(n) {
  if (pair.playing) pair.pause();
  pair.seekFrame(n);
  keep();
}

function playOrPause() {
  pair.playing ? pair.pause() : pair.play();
  keep();
}

const flip = () => set({view: 'ab', show: state.view === 'ab' && state.show === 'a' ? 'b' : 'a'});
const sound = side => at(side) && set({sound: ['a', 'b'].filter(s => (s === side) !== state.sound.includes(s)).join('')});

// nextTake compares with the next result of the same source, and after the last with
// the source again.
function nextTake() {
  const takes = [...document.querySelectorAll('.takes a')];
  if (!takes.length) return;
  const now = takes.findIndex(take => take.hasAttribute('aria-current'));
  location.href = takes[(now + 1) % takes.length].href;
}

const keys = {
  ' ': playOrPause, ArrowLeft: () => seek(pair.number - 1), ArrowRight: () => seek(pair.number + 1),
  Home: () => seek(0), End: () => seek(pair.frames - 1),
  1: () => a && set({view: 'wipe'}), 2: () => a && set({view: 'side'}), 3: () => a && set({view: 'ab'}), b: () => a && flip(),
  ',': () => set({split: Math.max(0, state.split - 5)}), '.': () => set({split: Math.min(100, state.split + 5)}),
  '[': () => a && set({offset: state.offset - 1}), ']': () => a && set({offset: state.offset + 1}),
  f: () => set({fit: state.fit === 'fit' ? 'fill' : 'fit'}), l: () => set({loop: state.loop === '1' ? '0' : '1'}),
  m: () => sound('b'), M: () => sound('a'), t: nextTake,
  j: () => at('next')?.click(), k: () => at('previous')?.click(), Escape: () => at('back').click(),
  s: () => marks.toggle(name, 'star'), a: () => marks.toggle(name, 'approved'), r: () => marks.toggle(name, 'rejected'),
  n: () => note.focus(),
};

document.addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === note) return event.key === 'Escape' && note.blur();
  // Sliders and choices have the arrow keys themselves, buttons the space bar.
  const own = event.target.matches('input') ? /^(Arrow|Home|End|Page)/ : event.target.matches('button, a, summary') ? /^( |Enter)$/ : /^$/;
  if (own.test(event.key) || !Object.hasOwn(keys, event.key)) return;
  event.preventDefault();
  keys[event.key]();
});

const on = (id, kind, handle) => at(id)?.addEventListener(kind, handle);
const buttons = {play: ' ', 'back-frame': 'ArrowLeft', 'next-frame': 'ArrowRight', flip: 'b', earlier: '[', later: ']', fit: 'f', loop: 'l', 'sound-a': 'M', 'sound-b': 'm'};
for (const [id, key] of Object.entries(buttons)) on(id, 'click', keys[key]);
on('scrub', 'input', () => seek(Number(scrub.value)));
on('split', 'input', () => set({split: Number(split.value)}));
on('note', 'input', () => marks.setNote(name, note.value));
on('copy', 'click', async event => {
  const button = event.target;
  try {
    await navigator.clipboard.writeText(at('command').textContent);
    button.textContent = 'Copied';
  } catch {
    getSelection().selectAllChildren(at('command'));
  }
});
for (const choice of document.querySelectorAll('[name=view]')) choice.addEventListener('change', () => set({view: choice.value}));

// A side that can't be shown says why, and the other goes on.
async function fault(side, text) {
  const box = side.video.parentElement.querySelector('.fault');
  side.failed = true;
  box.firstElementChild.textContent = text;
  box.hidden = false;
  try {
    const name = side.video.dataset.file;
    const {file} = await (await fetch('state?file=' + encodeURIComponent(name))).json();
    if (file === 'there') return;
    box.firstElementChild.textContent = file === 'gone' ? `The file ${name} is gone from the store.` : 'The store can\u2019t be read at present.';
    box.querySelector('a').hidden = true;
  } catch {
    box.firstElementChild.textContent = 'The gallery does not answer. Is lumaflow gallery still running?';
  }
}
const unplayable = 'This browser can\u2019t play the format of this file, which is often ProRes or HEVC.';
for (const side of pair.sides) {
  const check = () => {
    if (side.video.error || side.video.readyState >= 1 && !side.video.videoWidth) fault(side, unplayable);
  };
  side.video.addEventListener('error', check);
  side.video.addEventListener('loadedmetadata', check);
  check();
}

const shape = (width, height) => width > 0 && height > 0 && stage.style.setProperty('--ratio', width / height);
shape(stage.dataset.width, stage.dataset.height);
b.addEventListener('loadedmetadata', () => shape(b.videoWidth, b.videoHeight), {once: true});
note.value = marks.noteOf(name);
marks.show();
observe();
apply();
pair.time = (state.f + 0.5) * pair.frame;
pair.seek(pair.time);
