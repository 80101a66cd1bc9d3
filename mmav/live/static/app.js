// The page of a running detection; mmav/live/encoding.py says how messages are made.
'use strict';

const WRONG_TOKEN = 4401;
const TOO_MANY = 4429;
const RETRY = [500, 1000, 2000, 4000]; // milliseconds
const SILENCE = 3000; // milliseconds without a result, after which the page says so
const LOUDEST = 0, QUIETEST = -80; // decibel, of the meters

const element = (id) => document.getElementById(id);
const view = element('view').getContext('2d');
const spectrogram = element('spectrogram').getContext('2d', { willReadFrequently: true });
const acoustic = document.createElement('canvas');

let token = new URLSearchParams(location.hash.slice(1)).get('token') || '';
let socket = null;
let tries = 0;
let hello = null; // what the session is
let shown = null; // header of the newest result
let picture = null; // camera image
let hasAcoustic = false;
let column = null; // number of the spectrogram's last column
let lastArrival = 0;
let newest = 0; // number of the newest result, since images are decoded side by side
let events = new Set(); // numbers of those that are listed

function setConnection(state, text) {
  const ended = hello && hello.ended && ['connecting', 'disconnected'].includes(state);
  if (ended) return; // how it ended stays, while the page waits for the next session
  const status = element('connection');
  status.dataset.state = state;
  status.textContent = text;
}

function setNotice(text) {
  element('notice').textContent = text;
  element('notice').hidden = !text;
}

function connect() {
  setConnection('connecting', tries ? 'reconnecting' : 'connecting');
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  const base = location.pathname.replace(/[^/]*$/, '');
  socket = new WebSocket(`${scheme}//${location.host}${base}ws`);
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => socket.send(JSON.stringify({ token }));
  socket.onmessage = ({ data }) => (typeof data === 'string' ? onText(JSON.parse(data)) : onResult(data));
  socket.onclose = ({ code }) => {
    if (code === WRONG_TOKEN) {
      setConnection('refused', token ? 'wrong token' : 'a token is needed');
      element('login').hidden = false;
      element('token').focus();
      return;
    }
    setConnection('disconnected', code === TOO_MANY ? 'too many viewers' : 'not connected, trying again');
    setTimeout(connect, RETRY[Math.min(tries++, RETRY.length - 1)]);
  };
}

function onText(message) {
  if (message.type === 'hello') begin(message);
  else if (message.type === 'event') addEvent(message);
  else if (message.type === 'paused') setPaused(message.paused);
  else if (message.type === 'viewers') element('viewers').textContent = message.count;
  else if (message.type === 'ended') setEnded(message.error);
}

function begin(message) {
  if (!hello || hello.session !== message.session) {
    shown = picture = column = null;
    newest = 0;
    hasAcoustic = false;
    events = new Set();
    element('events').replaceChildren();
    element('boxes').replaceChildren();
    spectrogram.clearRect(0, 0, spectrogram.canvas.width, spectrogram.canvas.height);
  }
  hello = message;
  tries = 0;
  lastArrival = performance.now();
  setConnection('connected', 'connected');
  setNotice('');
  element('login').hidden = true;
  element('source').textContent = message.source;
  element('overlay').disabled = !message.acoustic;
  if (!element('threshold').dataset.touched && message.score_thr !== undefined) {
    element('threshold').value = message.score_thr;
    showThreshold();
  }
  const width = Math.min(Math.max(message.image_size[0], 960), 1280);
  view.canvas.width = width;
  view.canvas.height = Math.round((width * message.image_size[1]) / message.image_size[0]);
  makeMeters(message.channels);
  message.events.forEach(addEvent);
  setPaused(message.paused);
  if (message.ended) setEnded(message.error);
  draw();
}

function setPaused(paused) {
  element('pause').setAttribute('aria-pressed', paused);
  element('pause').textContent = paused ? 'Go on' : 'Pause';
}

function setEnded(error) {
  hello.ended = true;
  setConnection(error ? 'failed' : 'ended', error ? 'the detection has failed' : 'the recording has ended');
  if (error) setNotice(error);
}

function clock(seconds) {
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds - 60 * minutes).toFixed(1).padStart(4, '0')}`;
}

function addEvent(event) {
  if (events.has(event.number)) return;
  events.add(event.number);
  const item = document.createElement('li');
  item.dataset.kind = event.kind;
  const time = document.createElement('time');
  time.textContent = clock(event.time);
  const text = document.createElement('span');
  text.textContent = event.message;
  item.append(time, text);
  element('events').prepend(item);
  while (element('events').children.length > 200) element('events').lastChild.remove();
}

// results

function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const parts = {};
  let place = 4 + length;
  for (const part of header.parts) {
    parts[part.name] = { values: new Uint8Array(buffer, place, part.bytes), shape: part.shape };
    place += part.bytes;
  }
  return [header, parts];
}

async function onResult(buffer) {
  lastArrival = performance.now();
  const [header, parts] = unpack(buffer);
  const session = hello.session;
  if (!hello.ended) setConnection('connected', 'connected');
  if (parts.spectrogram) drawSpectrogram(header, parts.spectrogram);
  let image = null;
  if (parts.image) {
    image = await createImageBitmap(new Blob([parts.image.values], { type: 'image/jpeg' }));
    if (session !== hello.session || header.number < newest) return image.close();
  }
  newest = header.number;
  if (image) {
    if (picture) picture.close();
    picture = image;
  } else if (header.image === null) picture = null;
  if (parts.acoustic) paintAcoustic(parts.acoustic);
  shown = header;
  element('time').textContent = clock(header.time);
  element('latency').textContent = `${Math.round(1000 * header.latency)} ms`;
  element('skipped').textContent = header.skipped;
  showMeters(header.levels);
  draw();
}

// Opacity grows with the share of the power, so that the image stays visible where no sound comes from.
function paintAcoustic({ values, shape }) {
  [acoustic.height, acoustic.width] = shape;
  const context = acoustic.getContext('2d');
  const pixels = context.createImageData(acoustic.width, acoustic.height);
  for (let i = 0; i < values.length; i++) {
    for (let c = 0; c < 3; c++) pixels.data[4 * i + c] = hello.color_map[3 * Math.max(values[i], 90) + c];
    pixels.data[4 * i + 3] = 0.75 * values[i];
  }
  context.putImageData(pixels, 0, 0);
  hasAcoustic = true;
}

function draw() {
  const { width, height } = view.canvas;
  view.clearRect(0, 0, width, height);
  if (picture) view.drawImage(picture, 0, 0, width, height);
  if (!shown) return;
  if (hasAcoustic && element('overlay').checked) {
    view.imageSmoothingEnabled = true;
    view.imageSmoothingQuality = 'high';
    view.drawImage(acoustic, 0, 0, width, height);
  }
  const scale = width / hello.image_size[0];
  const least = Number(element('threshold').value);
  view.lineJoin = view.lineCap = 'round';
  if (element('tails').checked) {
    view.lineWidth = 3;
    for (const { color, centers } of shown.tails) {
      view.strokeStyle = color;
      view.beginPath();
      centers.forEach(([x, y]) => view.lineTo(x * scale, y * scale));
      view.stroke();
    }
  }
  const items = [];
  view.font = '600 16px system-ui, sans-serif';
  shown.bboxes.forEach((box, i) => {
    if (shown.scores[i] < least) return;
    const [x1, y1, x2, y2] = box.map((value) => value * scale);
    const id = shown.track_ids[i];
    const name = id < 0 ? shown.classes[i] : `${shown.classes[i]} ${id}`;
    view.strokeStyle = view.fillStyle = shown.colors[i];
    view.lineWidth = 2.5;
    view.strokeRect(x1, y1, x2 - x1, y2 - y1);
    const text = `${name}  ${shown.scores[i].toFixed(2)}`;
    const top = Math.max(y1 - 22, 0);
    view.fillRect(x1 - 1, top, view.measureText(text).width + 10, 22);
    view.fillStyle = '#0b0d11';
    view.fillText(text, x1 + 4, top + 16);
    items.push([shown.colors[i], name, shown.scores[i], id]);
  });
  listBoxes(items);
}

function listBoxes(items) {
  const list = items
    .sort((a, b) => b[2] - a[2])
    .map(([color, name, score, id]) => {
      const item = document.createElement('li');
      item.dataset.track = id;
      const mark = document.createElement('span');
      mark.className = 'mark';
      mark.style.backgroundColor = color;
      const label = document.createElement('span');
      label.textContent = name;
      const value = document.createElement('span');
      value.className = 'score';
      value.textContent = score.toFixed(2);
      item.append(mark, label, value);
      return item;
    });
  element('boxes').replaceChildren(...list);
}

function drawSpectrogram(header, { values, shape }) {
  const [count, bands] = shape;
  const { width, height } = spectrogram.canvas;
  const moved = column === null || header.columns < column ? count : header.columns - column;
  column = header.columns;
  if (moved > 0 && moved < width) spectrogram.drawImage(spectrogram.canvas, -moved, 0);
  spectrogram.clearRect(Math.max(width - moved, 0), 0, moved, height);
  if (!count) return;
  const used = Math.min(count, width);
  const pixels = spectrogram.createImageData(used, height);
  for (let x = 0; x < used; x++) {
    for (let y = 0; y < height; y++) {
      const band = Math.floor(((height - 1 - y) * bands) / height);
      const value = values[(count - used + x) * bands + band];
      const place = 4 * (y * used + x);
      for (let c = 0; c < 3; c++) pixels.data[place + c] = hello.color_map[3 * value + c];
      pixels.data[place + 3] = 255;
    }
  }
  spectrogram.putImageData(pixels, width - used, 0);
}

// meters

function makeMeters(count) {
  const rows = Array.from({ length: count }, (_, index) => {
    const row = document.createElement('div');
    row.className = 'meter';
    const name = document.createElement('span');
    name.textContent = index;
    const meter = document.createElement('meter');
    Object.assign(meter, { min: QUIETEST, max: LOUDEST, low: -70, high: -3, optimum: -20, value: QUIETEST });
    meter.setAttribute('aria-label', `microphone ${index}`);
    const level = document.createElement('span');
    level.className = 'level';
    row.append(name, meter, level);
    return row;
  });
  element('meters').replaceChildren(...rows);
}

function showMeters(levels) {
  levels.forEach((level, index) => {
    const row = element('meters').children[index];
    row.children[1].value = level === null ? QUIETEST : level;
    row.children[2].textContent = level === null ? '–' : level.toFixed(1);
  });
}

// controls

function showThreshold() {
  element('threshold-value').textContent = Number(element('threshold').value).toFixed(2);
  draw();
}

async function download(name) {
  const response = await fetch(`download/${name}`, { headers: { Authorization: `Bearer ${token}` } });
  if (!response.ok) return setNotice(await response.text());
  const link = document.createElement('a');
  link.href = URL.createObjectURL(await response.blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

element('overlay').addEventListener('change', draw);
element('tails').addEventListener('change', draw);
element('threshold').addEventListener('input', () => {
  element('threshold').dataset.touched = 'yes';
  showThreshold();
});
element('pause').addEventListener('click', () => {
  const pause = element('pause').getAttribute('aria-pressed') !== 'true';
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ pause }));
});
document.querySelectorAll('[data-file]').forEach((button) =>
  button.addEventListener('click', () =>
    download(button.dataset.file).catch((error) => setNotice(`the download failed: ${error.message}`)),
  ),
);
element('login').addEventListener('submit', (event) => {
  event.preventDefault();
  token = element('token').value;
  tries = 0;
  connect();
});
setInterval(() => {
  const waiting = performance.now() - lastArrival > SILENCE;
  const running = hello && !hello.ended && element('pause').getAttribute('aria-pressed') !== 'true';
  if (waiting && running && element('connection').dataset.state === 'connected') {
    setConnection('waiting', 'no new result: waiting for sound');
  }
}, 500);
connect();
