// Poster frames: drawn from the videos themselves, when they come into view. Few are
// loaded at a time, and each is released at once, because a browser has few
// connections to a server and few players.
const atOnce = 4;
const patience = 20000; // milliseconds
const waiting = [];
let loading = 0;

const seen = new IntersectionObserver(entries => {
  for (const {target, isIntersecting} of entries) {
    if (isIntersecting) seen.unobserve(target), waiting.push(target);
  }
  next();
}, {rootMargin: '300px'});

export function observe(root = document) {
  for (const shot of root.querySelectorAll('.shot[data-video]:not([data-poster])')) seen.observe(shot);
}

function next() {
  while (loading < atOnce && waiting.length) {
    const shot = waiting.shift();
    if (!shot.isConnected) continue;
    loading++;
    load(shot).catch(() => shot.dataset.poster = 'none').finally(() => { loading--; next(); });
  }
}

function load(shot) {
  const video = document.createElement('video');
  const done = new Promise((resolve, reject) => {
    setTimeout(reject, patience, new Error('slow'));
    video.onerror = reject;
    video.onloadedmetadata = () => {
      if (!video.videoWidth) reject(new Error('no picture'));
      else video.currentTime = Math.min(1, (video.duration || 0) / 3);
    };
    video.onseeked = () => resolve(draw(shot, video));
  });
  video.muted = true;
  video.preload = 'metadata';
  video.src = shot.dataset.video;
  return done.finally(() => release(video));
}

function draw(shot, video) {
  const canvas = shot.querySelector('canvas');
  canvas.width = Math.min(video.videoWidth, 640);
  canvas.height = Math.round(canvas.width * video.videoHeight / video.videoWidth);
  canvas.getContext('2d').drawImage(video, 0, 0, canvas.width, canvas.height);
  shot.dataset.poster = 'drawn';
}

function release(video) {
  video.onerror = video.onloadedmetadata = video.onseeked = null;
  video.removeAttribute('src');
  video.load();
}

// preview plays a video in its card while the mouse is over it.
let playing;
document.addEventListener('pointerover', event => {
  const shot = event.pointerType === 'mouse' && event.target.closest?.('.shot[data-poster=drawn]');
  if (!shot || shot.contains(playing) || matchMedia('(prefers-reduced-motion: reduce)').matches) return;
  stop();
  const video = playing = document.createElement('video');
  video.muted = video.loop = video.playsInline = true;
  video.src = shot.dataset.video;
  shot.append(video);
  video.play().catch(() => {});
  shot.addEventListener('pointerleave', stop, {once: true});
});

function stop() {
  playing?.remove();
  if (playing) release(playing);
  playing = undefined;
}
