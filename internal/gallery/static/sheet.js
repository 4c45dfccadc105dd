import * as marks from './marks.js';
import {observe} from './posters.js';

const every = 5000; // milliseconds
const parameters = new URLSearchParams(location.search);
const search = document.querySelector('[name=q]');
const news = document.getElementById('news');
const cards = () => [...document.querySelectorAll('.card')];
const results = () => document.getElementById('results');

// fetchSheet loads the page as a document, whose scripts do not run. The names of a
// filter by marks come from this browser.
function fetchSheet() {
  const address = new URL(location.href);
  if (parameters.get('marked')) address.searchParams.set('names', marks.named(parameters.get('marked')).join('/'));
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('GET', address);
    request.responseType = 'document';
    request.onload = () => (request.response?.getElementById('results') ? resolve(request.response) : reject(new Error('status ' + request.status)));
    request.onerror = () => reject(new Error('no answer'));
    request.send();
  });
}

// update replaces the results and keeps the cards that are on both pages, with their
// poster frames, and the focus.
async function update() {
  const fresh = document.adoptNode((await fetchSheet()).getElementById('results'));
  const known = new Map(cards().map(card => [card.dataset.name, card]));
  const focused = document.activeElement?.closest('.card')?.dataset.name;
  for (const card of fresh.querySelectorAll('.card')) {
    const drawn = known.get(card.dataset.name)?.querySelector('.shot[data-poster]'), shot = card.querySelector('.shot');
    if (drawn && shot.dataset.video) shot.replaceWith(drawn);
  }
  results().replaceWith(fresh);
  if (focused) focus(cards().find(card => card.dataset.name === focused));
  news.hidden = true;
  decorate();
}

function decorate() { marks.show(); observe(); }

async function poll() {
  if (document.hidden) return;
  try {
    const state = await (await fetch('state')).json();
    if (String(state.revision) === results().dataset.revision) return;
    if (scrollY < 200 && document.body.dataset.page === '1') await update();
    else news.hidden = false;
  } catch { /* The gallery was stopped, or restarts: the next poll finds out. */ }
}

const focus = card => card?.querySelector('a').focus();

// beside returns the card in a direction. The number of columns is that of the cards
// in the line of the first.
function beside(card, key) {
  const all = cards();
  const columns = all.filter(other => other.offsetTop === all[0].offsetTop).length;
  const step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns}[key];
  return card ? all[all.indexOf(card) + step] : all[0];
}

document.addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches('input, select, textarea');
  if (event.key === 'Escape') {
    document.querySelector('.menu').open = false;
    if (typing) event.target.blur();
    else if (location.search) document.querySelector('#filter a.button')?.click();
  }
  if (typing) return;
  const card = document.activeElement.closest('.card');
  if (event.key === '/') search.select();
  else if (event.key.startsWith('Arrow')) {
    if (!beside(card, event.key)) return;
    focus(beside(card, event.key));
  } else if (card && {s: 1, a: 1, r: 1}[event.key]) {
    marks.toggle(card.dataset.name, {s: 'star', a: 'approved', r: 'rejected'}[event.key]);
  } else return;
  event.preventDefault();
});

document.getElementById('filter').addEventListener('formdata', event => {
  // An empty field is not in the address.
  for (const [name, value] of [...event.formData]) if (!value) event.formData.delete(name);
});
for (const select of document.querySelectorAll('#filter select')) select.addEventListener('change', () => select.form.requestSubmit());

news.addEventListener('click', () => update().then(() => scrollTo(0, 0)));

for (const button of document.querySelectorAll('[data-export]')) {
  button.addEventListener('click', () => {
    const format = button.dataset.export;
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([marks.exported(format)], {type: format === 'csv' ? 'text/csv' : 'application/json'}));
    link.download = 'lumaflow-marks.' + format;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });
}

document.getElementById('import').addEventListener('change', async event => {
  const status = document.getElementById('imported');
  try {
    status.textContent = marks.imported(await event.target.files[0].text()) + ' marks imported.';
  } catch (error) {
    status.textContent = 'That file has no marks: ' + error.message;
  }
  event.target.value = '';
});

decorate();
if (parameters.get('marked')) update();
addEventListener('pageshow', event => { if (event.persisted) { decorate(); poll(); } });
document.addEventListener('visibilitychange', poll);
setInterval(poll, every);
