// Marks of videos, in the storage of this browser, by file name.
const key = 'lumaflow.marks';

function load() {
  try { return clean(JSON.parse(localStorage.getItem(key) || '{}')); } catch { return {}; }
}

// clean keeps what has the form of marks, of names of videos.
function clean(marks) {
  const kept = {};
  for (const [name, mark] of Object.entries(marks && typeof marks === 'object' ? marks : {})) {
    if (!mark || typeof mark !== 'object' || name.length > 255 || !/\.(mp4|mov|avi)$/i.test(name)) continue;
    const one = {};
    if (mark.star === true) one.star = true;
    if (['approved', 'rejected'].includes(mark.verdict)) one.verdict = mark.verdict;
    if (typeof mark.note === 'string' && mark.note) one.note = mark.note.slice(0, 2000);
    if (Object.keys(one).length) kept[name] = one;
  }
  return kept;
}

function save(marks) {
  try { localStorage.setItem(key, JSON.stringify(marks)); } catch (error) { alert('This browser does not keep the mark: ' + error.message); }
}

function change(name, edit) {
  const marks = load();
  edit(marks[name] ??= {});
  save(clean(marks));
}

export const noteOf = name => load()[name]?.note || '';
export const setNote = (name, note) => change(name, mark => { mark.note = note; });

// toggle changes one mark; approved and rejected exclude each other.
export function toggle(name, kind) {
  change(name, mark => {
    if (kind === 'star') mark.star = !mark.star;
    else mark.verdict = mark.verdict === kind ? '' : kind;
  });
  show();
}

// show sets the buttons of all marks on the page.
export function show(root = document) {
  const marks = load();
  for (const group of root.querySelectorAll('[data-marks]')) {
    const mark = marks[group.dataset.marks] || {};
    for (const button of group.querySelectorAll('[data-mark]')) {
      const kind = button.dataset.mark;
      button.setAttribute('aria-pressed', String(kind === 'star' ? !!mark.star : mark.verdict === kind));
    }
    group.closest('.card')?.setAttribute('data-verdict', mark.verdict || '');
    group.toggleAttribute('data-noted', !!mark.note);
  }
}

// named returns the names of the videos with a kind of mark.
export function named(kind) {
  return Object.entries(load())
    .filter(([, mark]) => (kind === 'star' ? mark.star : kind === 'note' ? mark.note : mark.verdict === kind))
    .map(([name]) => name);
}

const columns = ['file', 'star', 'verdict', 'note'];

// Before what a spreadsheet, of any separator, takes for a formula goes an apostrophe.
const formula = /(?<=^|[;\t\r\n])(?=[=+\-@＝＋－＠\t\r'])/g;
const disarmed = /(?<=^|[;\t\r\n])'(?=[=+\-@＝＋－＠\t\r'])/g;
const cell = text => '"' + text.replace(formula, "'").replaceAll('"', '""') + '"';

export function exported(format) {
  const marks = load();
  if (format === 'json') return JSON.stringify(marks, null, 2) + '\n';
  const rows = Object.entries(marks).map(([name, mark]) => [name, mark.star ? 'star' : '', mark.verdict || '', mark.note || '']);
  return [columns, ...rows].map(row => row.map(cell).join(',')).join('\r\n') + '\r\n';
}

// parseCSV reads the form that exported writes, in the spelling of any spreadsheet.
function parseCSV(text) {
  const rows = [[]];
  const separator = /^[^\n"]*"?file"?;/.test(text) ? ';' : ',';
  const pattern = new RegExp(`(?:"((?:[^"]|"")*)"|([^"${separator}\\r\\n]*))(${separator}|\\r?\\n|$)`, 'gy');
  while (pattern.lastIndex < text.length) {
    const match = pattern.exec(text);
    if (!match) throw new Error(`line ${rows.length} is malformed`);
    rows.at(-1).push((match[1]?.replaceAll('""', '"') ?? match[2]).replace(disarmed, ''));
    if (match[3] !== separator) rows.push([]);
  }
  const at = columns.map(column => rows[0].indexOf(column));
  if (at[0] < 0) throw new Error('the first line must name the column file');
  return Object.fromEntries(rows.slice(1).map(row => {
    const [name, star, verdict, note] = at.map(i => row[i] || '');
    return [name, {star: star !== '', verdict, note}];
  }));
}

// imported adds the marks of a file to those that are there, and returns their number.
export function imported(text) {
  const added = clean(text.trimStart().startsWith('{') ? JSON.parse(text) : parseCSV(text));
  save({...load(), ...added});
  show();
  return Object.keys(added).length;
}

document.addEventListener('click', event => {
  const button = event.target.closest('[data-mark]');
  if (button) toggle(button.closest('[data-marks]').dataset.marks, button.dataset.mark);
});
addEventListener('storage', event => { if (event.key === key) show(); });
