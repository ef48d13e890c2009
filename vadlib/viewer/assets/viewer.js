"use strict";
// The clip viewer. All text reaches the page through textContent, so that no name of a clip can become markup.
// A clip's pictures are a video, sought by its time and read back by `requestVideoFrameCallback`; heatmaps are numbers.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const MARGIN = { left: 34, right: 6, top: 10, bottom: 22 };
  const LANE = 9; // pixels, height of a detector's row of alarms
  const at = (id) => document.getElementById(id);
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const data = JSON.parse(at("data").textContent);
  const { detectors, colours } = data;
  const inferno = bytes(data.inferno); // 256 x RGB
  const clips = data.clips.map((clip, index) => ({
    ...clip,
    index,
    frames: new Int32Array(bytes(clip.frames).buffer),
    seconds: new Float64Array(bytes(clip.seconds).buffer), // of each scored frame: not all cameras keep an even rate
    labels: clip.labels && bytes(clip.labels),
    scores: clip.scores.map((text) => new Float32Array(bytes(text).buffer)),
  }));
  const thresholds = detectors.map((detector) => detector.threshold);
  const state = { clip: clips[0], row: 0, detector: 0, order: clips, playing: false, strength: 65 };
  const range = scoreRange();

  // ---- numbers ----

  function scoreRange() {
    let [low, high] = [Infinity, -Infinity];
    detectors.forEach((detector, d) => {
      const ends = [detector.low, detector.high, detector.threshold].map((score) => standard(d, score));
      low = Math.min(low, ...ends);
      high = Math.max(high, ...ends);
    });
    const room = 0.05 * (high - low) || 1;
    return [low - room, high + room];
  }

  function standard(d, score) {
    return (score - detectors[d].mean) / detectors[d].deviation;
  }

  /** Stretches of rows [first, last] for which `test` holds, unbroken. */
  function stretches(n, test) {
    const found = [];
    for (let row = 0; row < n; row++) {
      if (!test(row)) continue;
      if (found.length && found.at(-1)[1] === row - 1) found.at(-1)[1] = row;
      else found.push([row, row]);
    }
    return found;
  }

  function isMoved(d) {
    return thresholds[d] !== detectors[d].threshold;
  }

  /** The alarms that were given, or, once the threshold was moved, each unbroken stretch of frames that reach it. */
  function alarmsOf(clip, d) {
    if (clip.alarms && !isMoved(d)) return clip.alarms[d];
    return stretches(clip.frames.length, (row) => clip.scores[d][row] >= thresholds[d]);
  }

  function truthOf(clip) {
    return clip.labels ? stretches(clip.frames.length, (row) => clip.labels[row] === 1) : [];
  }

  function meets(stretch, others) {
    return others.some(([first, last]) => first <= stretch[1] && last >= stretch[0]);
  }

  function countsOf(some, d) {
    const sum = { alarms: 0, false: 0, events: 0, found: 0, anomalous: 0, anomalousAbove: 0, normal: 0, normalAbove: 0 };
    for (const clip of some) {
      const [alarms, truth] = [alarmsOf(clip, d), truthOf(clip)];
      sum.alarms += alarms.length;
      if (clip.labels) {
        sum.false += alarms.filter((alarm) => !meets(alarm, truth)).length;
        sum.events += truth.length;
        sum.found += truth.filter((event) => meets(event, alarms)).length;
      }
      clip.scores[d].forEach((score, row) => {
        const kind = clip.labels && clip.labels[row] === 1 ? "anomalous" : "normal";
        sum[kind] += 1;
        sum[`${kind}Above`] += score >= thresholds[d];
      });
    }
    return sum;
  }

  function highest(scores) {
    return scores.reduce((best, score, row) => (score > scores[best] ? row : best), 0);
  }

  // ---- words and colours ----

  function digits(value) {
    if (!value) return "0";
    const size = Math.abs(value);
    if (size >= 1e6 || size < 1e-3) return value.toExponential(2);
    return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
  }

  function signed(value) {
    return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;
  }

  function clock(seconds) {
    const minutes = Math.floor(seconds / 60);
    const rest = (seconds - 60 * minutes).toFixed(1);
    return minutes ? `${minutes}:${rest.padStart(4, "0")}` : `${rest} s`;
  }

  function plural(n, what) {
    return `${n} ${what}${n === 1 ? "" : "s"}`;
  }

  function share(part, whole) {
    return whole ? `${part} of ${whole} (${Math.round((100 * part) / whole)} %)` : "none";
  }

  const wide = matchMedia("(min-width: 940px)"); // room for the list beside the clip
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");

  function isDark() {
    const { theme } = document.documentElement.dataset;
    return theme ? theme === "dark" : prefersDark.matches;
  }

  function channels(hex) {
    return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  }

  function luminance(rgb) {
    const [r, g, b] = rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }

  /** A detector's colour, brought towards white on a dark ground until it stands out from it (3.5 to 1). */
  function visible(hex, dark = isDark()) {
    let rgb = channels(hex);
    const ground = luminance([20, 24, 29]);
    while (dark && (luminance(rgb) + 0.05) / (ground + 0.05) < 3.5) rgb = rgb.map((c) => c + (255 - c) * 0.15);
    return `rgb(${rgb.map(Math.round).join(" ")})`;
  }

  /** Black or white, whichever reads better on a colour. */
  function inkOn(colour) {
    const light = luminance(colour.match(/\d+/g).map(Number)) + 0.05;
    return 1.05 / light > light / 0.05 ? "#fff" : "#000";
  }

  function paintColours() {
    const style = document.documentElement.style;
    const chosen = visible(detectors[state.detector].colour);
    style.setProperty("--anomalous", colours.anomalous);
    style.setProperty("--accent", visible(colours.normal));
    style.setProperty("--chosen", chosen);
    style.setProperty("--chosen-on-black", visible(detectors[state.detector].colour, true));
    style.setProperty("--chosen-ink", inkOn(chosen));
    detectors.forEach((detector, d) => detectorButtons[d].style.setProperty("--colour", visible(detector.colour)));
  }

  function element(name, text = "", attributes = {}) {
    const made = document.createElement(name);
    made.textContent = text;
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  function shape(name, attributes, text = "") {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text) made.textContent = text;
    return made;
  }

  function fail(message) {
    at("fault").textContent = message;
    at("fault").hidden = false;
  }

  // ---- media: only those of the clip in view are held ----

  const video = at("picture");
  const media = { heat: [], shown: -1, asked: -1 }; // the picture on the screen, and the one under way to it, or -1
  const A_BROWSER = "a browser of 2024 or later that plays VP9 can";

  async function openMedia(clip) {
    URL.revokeObjectURL(video.src);
    Object.assign(media, { heat: [], shown: -1, asked: -1 });
    video.src = URL.createObjectURL(new Blob([bytes(clip.video)], { type: "video/webm" }));
    try {
      const heat = await Promise.all(clip.grids.map((grid, d) => grid && heatmaps(bytes(clip.maps[d]), grid)));
      if (state.clip !== clip) return;
      media.heat = heat;
      drawHeat();
    } catch (error) {
      fail(`The heatmaps of this clip could not be unpacked (${error.message}); ${A_BROWSER}.`);
    }
  }

  /** Undo `_packed` of media.py: differences in deflate. */
  async function heatmaps(packed, [height, width]) {
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    const values = new Uint8Array(await new Response(stream).arrayBuffer());
    for (let i = height * width; i < values.length; i++) values[i] += values[i - height * width];
    return values;
  }

  /** The picture of a row: where they were thinned out, the last one at or before it. */
  function pictureOf(row) {
    return Math.floor(row / data.every);
  }

  function seekVideo(picture) {
    media.asked = picture;
    clearTimeout(media.timer);
    video.currentTime = (picture + 0.5) / data.perSecond; // clear of both ends
  }

  /** Bring the video to the picture in view, unless it plays or is under way. */
  function drawPicture() {
    const wanted = pictureOf(state.row);
    const isThere = media.shown === wanted;
    at("waiting").hidden = isThere || state.playing;
    // One at a time: browsers lose a picture that is overtaken between being decoded and being shown.
    if (!isThere && !state.playing && media.asked < 0 && video.readyState) seekVideo(wanted);
    drawHeat();
  }

  /** A picture has come to the screen. */
  function onPicture(_, { mediaTime }) {
    video.requestVideoFrameCallback(onPicture);
    const picture = Math.floor(mediaTime * data.perSecond + 0.1); // times are rounded
    media.shown = video.dataset.picture = picture;
    if (picture === media.asked || (state.playing && !video.seeking)) media.asked = -1; // playing may pass over one
    if (state.playing && media.asked < 0 && picture !== pictureOf(state.row)) showRow(picture * data.every);
    if (state.playing) keepPace();
    drawPicture();
  }

  function drawHeat() {
    const { clip, detector: d } = state;
    const canvas = at("heat");
    const values = media.heat[d];
    const strength = clip.grids[d] ? state.strength / 100 : 0;
    canvas.hidden = !values || !strength || media.shown < 0;
    video.style.filter = values && strength ? `grayscale(${Math.min(1, strength * 2)})` : "none";
    if (canvas.hidden) return;
    const [height, width] = clip.grids[d];
    Object.assign(canvas, { width, height });
    const image = new ImageData(width, height);
    const start = media.shown * width * height; // of the picture that is seen
    for (let i = 0; i < width * height; i++) {
      const value = values[start + i];
      image.data.set(inferno.subarray(3 * value, 3 * value + 3), 4 * i);
      image.data[4 * i + 3] = 30 + 0.85 * value; // low values let the frame through
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
    canvas.style.opacity = strength;
    canvas.dataset.picture = media.shown;
  }

  // ---- detectors ----

  const detectorButtons = detectors.map((detector, d) => {
    const button = element("button", "", { type: "button" });
    const scores = element("span", "", { class: "quiet number" });
    scores.append(element("span"), element("span"));
    button.append(element("span", "", { class: "swatch" }), element("span", detector.name, { class: "name" }));
    button.append(element("span", "", { class: "number score" }), scores);
    button.addEventListener("click", () => chooseDetector(d));
    at("detectors").append(button);
    return button;
  });

  function chooseDetector(d) {
    state.detector = d;
    detectorButtons.forEach((button, i) => button.setAttribute("aria-pressed", i === d));
    const { heat, name, unit } = detectors[d];
    at("heat-controls").classList.toggle("none", !heat);
    at("bar-ends").replaceChildren(
      ...(heat ? [element("span", `${+heat[0].toPrecision(3)}`), element("span", unit), element("span", `${+heat[1].toPrecision(3)}`)]
        : [element("span", `${name} scores whole frames: no heatmap.`)]),
    );
    paintColours();
    if (at("sort").value === "score") sortClips();
    drawSparks();
    drawPlot();
    drawThreshold();
    showRow(state.row);
  }

  function drawBar() {
    const image = new ImageData(256, 1);
    for (let i = 0; i < 256; i++) image.data.set([...inferno.subarray(3 * i, 3 * i + 3), 255], 4 * i);
    at("bar").getContext("2d").putImageData(image, 0, 0);
  }

  // ---- the plot ----

  const plot = { width: 0, height: 0, bottom: 0 };
  const x = (frame) => {
    const { frames } = state.clip;
    const span = Math.max(frames.at(-1) - frames[0], 1);
    return MARGIN.left + ((frame - frames[0]) / span) * (plot.width - MARGIN.left - MARGIN.right);
  };
  const y = (z) => plot.bottom - ((z - range[0]) / (range[1] - range[0])) * (plot.bottom - MARGIN.top);
  // A stretch of frames lasts to the middle between it and its neighbours, so that one frame alone is seen.
  const edges = ([first, last]) => {
    const { frames } = state.clip;
    const left = first ? (frames[first - 1] + frames[first]) / 2 : frames[first];
    const right = last + 1 < frames.length ? (frames[last] + frames[last + 1]) / 2 : frames[last];
    return { x: x(left), width: Math.max(x(right) - x(left), 2) };
  };

  function curve(clip, d, toX, toY) {
    const steps = clip.frames.subarray(1).map((frame, i) => frame - clip.frames[i]).sort();
    const gap = 4 * (steps[steps.length >> 1] || 1); // a longer one was not scored: no line across
    let path = "";
    clip.frames.forEach((frame, row) => {
      const next = row && frame - clip.frames[row - 1] <= gap ? "L" : "M";
      path += `${next}${toX(frame).toFixed(1)} ${toY(standard(d, clip.scores[d][row])).toFixed(1)}`;
    });
    return clip.frames.length === 1 ? `${path}h2` : path;
  }

  function niceStep(span, n) {
    const raw = span / n;
    const ten = 10 ** Math.floor(Math.log10(raw));
    return ten * [1, 2, 5, 10].find((step) => step * ten >= raw);
  }

  function drawPlot() {
    const { clip, detector: chosen } = state;
    plot.width = Math.max(at("plot").getBoundingClientRect().width, 120);
    plot.bottom = plot.width < 500 ? 170 : 205;
    const lanes = plot.bottom + MARGIN.bottom;
    plot.height = lanes + LANE * detectors.length + 2;
    at("plot").setAttribute("viewBox", `0 0 ${plot.width} ${plot.height}`);
    at("plot").style.height = `${plot.height}px`;
    drawGrid(clip);
    at("truth").replaceChildren(...truthOf(clip).flatMap((stretch) => {
      const edge = edges(stretch);
      const band = shape("rect", { ...edge, y: MARGIN.top - 10, height: plot.height - MARGIN.top + 10 });
      return edge.width < 74 ? [band] : [band, shape("text", { x: edge.x + 5, y: 12 }, "anomalous")];
    }));
    const order = [...detectors.keys()].sort((a, b) => (a === chosen) - (b === chosen)); // the chosen one on top
    at("curves").replaceChildren(...order.map((d) => shape("path", {
      d: curve(clip, d, x, y), stroke: visible(detectors[d].colour), class: d === chosen ? "chosen" : "",
    })));
    drawLanes();
  }

  function frameAt(clip, second) {
    const after = Math.max(clip.seconds.findIndex((one) => one >= second), 1);
    if (clip.seconds.length < 2) return clip.frames[0];
    const [before, next] = [clip.seconds[after - 1], clip.seconds[after]];
    return clip.frames[after - 1] + ((second - before) / (next - before)) * (clip.frames[after] - clip.frames[after - 1]);
  }

  function drawGrid(clip) {
    const parts = [];
    const [low, high] = range;
    const right = plot.width - MARGIN.right;
    const zStep = Math.max(1, niceStep(high - low, 5));
    for (let z = Math.ceil(low / zStep) * zStep; z <= high; z += zStep) {
      parts.push(shape("line", { x1: MARGIN.left, x2: right, y1: y(z), y2: y(z) }));
      parts.push(shape("text", { x: MARGIN.left - 6, y: y(z) + 4, "text-anchor": "end" }, z ? signed(z).replace(".0", "") : "0"));
    }
    const [first, last] = [clip.seconds[0], clip.seconds.at(-1)];
    const step = niceStep(Math.max(last - first, 0.1), plot.width / 90);
    for (let second = Math.ceil(first / step) * step; second <= last; second += step) {
      const place = x(frameAt(clip, second));
      const name = second >= 60 ? clock(second).replace(".0", "") : `${+second.toFixed(2)} s`;
      parts.push(shape("line", { x1: place, x2: place, y1: plot.bottom, y2: plot.bottom + 4 }));
      parts.push(shape("text", { x: place, y: plot.bottom + 16, "text-anchor": place > right - 12 ? "end" : "middle" }, name));
    }
    at("grid").replaceChildren(...parts);
  }

  /** A row a detector: full bars for alarms on an anomaly (or where truth is unknown), hollow ones for false alarms. */
  function drawLanes() {
    const { clip, detector: chosen } = state;
    const truth = truthOf(clip);
    const right = plot.width - MARGIN.right;
    at("lanes").replaceChildren(...detectors.flatMap((detector, d) => {
      const top = plot.bottom + MARGIN.bottom + d * LANE;
      const colour = visible(detector.colour);
      const ground = shape("rect", {
        x: MARGIN.left, y: top, width: right - MARGIN.left, height: LANE - 1, class: d === chosen ? "ground chosen" : "ground",
      });
      return [ground, ...alarmsOf(clip, d).map((alarm) => {
        const isFalse = clip.labels && !meets(alarm, truth);
        const edge = edges(alarm);
        return shape("rect", isFalse
          ? { x: edge.x + 0.75, width: Math.max(edge.width - 1.5, 1), y: top + 1.25, height: LANE - 3.5, fill: "none", stroke: colour, "stroke-width": 1.5, class: "alarm false" }
          : { ...edge, y: top + 0.5, height: LANE - 2, fill: colour, class: "alarm" });
      })];
    }));
  }

  function drawThreshold() {
    const { detector: d } = state;
    const value = thresholds[d];
    const z = standard(d, value);
    const place = Math.min(Math.max(y(z), MARGIN.top), plot.bottom);
    const group = at("threshold");
    const right = plot.width - MARGIN.right;
    const [grip, line, tag, text] = group.children;
    text.textContent = `${detectors[d].name} ≥ ${digits(value)}`;
    const width = text.getComputedTextLength() + 14;
    const set = (node, values) => Object.entries(values).forEach(([key, v]) => node.setAttribute(key, v));
    set(grip, { x: MARGIN.left, y: place - 14, width: right - MARGIN.left, height: 28 });
    set(line, { x1: MARGIN.left, x2: right, y1: place, y2: place });
    set(tag, { x: right - width, y: place - 9, width, height: 18 });
    set(text, { x: right - 7, y: place + 4 });
    set(group, {
      "aria-label": `Threshold of ${detectors[d].name}`, "aria-valuemin": range[0].toFixed(2), "aria-valuemax": range[1].toFixed(2),
      "aria-valuenow": z.toFixed(2), "aria-valuetext": `${digits(value)}, ${signed(z)} standard deviations`,
    });
    drawCounts();
  }

  function moveThreshold(z) {
    const { detector: d } = state;
    const inside = Math.min(Math.max(z, range[0]), range[1]);
    thresholds[d] = detectors[d].mean + inside * detectors[d].deviation;
    afterThreshold();
  }

  function afterThreshold() {
    drawThreshold();
    drawLanes();
    drawSparks(false);
    showRow(state.row);
  }

  function drawCounts() {
    const { clip, detector: d } = state;
    const { name, threshold, source } = detectors[d];
    const moved = isMoved(d);
    at("reset").hidden = !moved;
    at("counts-caption").textContent =
      `${name}, threshold ${digits(thresholds[d])}` + (moved ? ` (moved from ${digits(threshold)})` : source ? `, ${source}` : "");
    const labelled = clips.some((one) => one.labels);
    const heads = labelled ? ["", "events found", "false alarms", "anomalous frames reaching it", "normal frames reaching it"] : ["", "alarms", "frames reaching it"];
    const line = element("tr");
    line.append(...heads.map((head) => element("th", head, { scope: "col" })));
    at("counts").querySelector("thead").replaceChildren(line);
    const all = labelled ? clips.filter((one) => one.labels) : clips;
    const rows = [["this clip", [clip]]];
    if (clips.length > 1) rows.push([all.length === clips.length ? `all ${all.length} clips` : plural(all.length, "labelled clip"), all]);
    at("counts").querySelector("tbody").replaceChildren(...rows.map(([title, some]) => {
      const sum = countsOf(some, d);
      const row = element("tr");
      const known = some.every((one) => one.labels);
      const cells = !labelled ? [sum.alarms, share(sum.normalAbove, sum.normal)]
        : !known ? ["unknown", plural(sum.alarms, "alarm"), "unknown", share(sum.normalAbove, sum.normal)]
        : [sum.events ? `${sum.found} of ${sum.events}` : "none to find", sum.false, share(sum.anomalousAbove, sum.anomalous), share(sum.normalAbove, sum.normal)];
      row.append(element("th", title, { scope: "row" }), ...cells.map((cell) => element("td", cell)));
      return row;
    }));
    at("key-to-plot").textContent =
      "Curves: scores in standard deviations from their mean over all frames here. Bars below: alarms, a row a detector" +
      (clip.labels ? "; hollow: no anomaly there. Shaded: anomalous." : "; what is truly anomalous is not known here.") +
      (data.alarm_rule ? ` ${moved ? "At a moved threshold: every stretch that reaches it" : data.alarm_rule}.` : "");
  }

  // ---- where we are ----

  function showRow(row) {
    const { clip, detector: d } = state;
    state.row = Math.min(Math.max(row, 0), clip.frames.length - 1);
    const frame = clip.frames[state.row];
    const place = x(frame);
    for (const [key, value] of Object.entries({ x1: place, x2: place, y1: 0, y2: plot.height })) at("head").setAttribute(key, value);
    at("scrub").value = state.row;
    at("clock").textContent = `frame ${frame} · ${clock(clip.seconds[state.row])}`;
    at("scrub").setAttribute("aria-valuetext", `frame ${frame}, ${clock(clip.seconds[state.row])}`);
    detectorButtons.forEach((button, i) => {
      const score = clip.scores[i][state.row];
      const above = score >= thresholds[i];
      const [z, word] = button.lastChild.children;
      button.querySelector(".score").textContent = digits(score);
      z.textContent = `${signed(standard(i, score))} sd`;
      word.textContent = above ? "reaches threshold" : "";
      word.className = above ? "above" : "";
    });
    const inAlarm = meets([state.row, state.row], alarmsOf(clip, d));
    const truth = !clip.labels ? "" : clip.labels[state.row] === 1 ? "anomalous" : "";
    at("stage").classList.toggle("alarm", inAlarm);
    at("badge-alarm").hidden = !inAlarm;
    at("badge-truth").hidden = !truth;
    at("badge-truth").textContent = truth;
    drawPicture();
    video.setAttribute("aria-label", `Frame ${clip.frames[pictureOf(state.row) * data.every]} of clip ${clip.id}`);
    if (!state.playing) {
      const says = [`Frame ${frame}`, `${detectors[d].name} ${digits(clip.scores[d][state.row])}`, inAlarm ? "alarm" : "no alarm"];
      at("status").textContent = [...says, ...(clip.labels ? [truth || "normal"] : [])].join(", ");
    }
  }

  function openClip(clip, row = 0) {
    pause();
    state.clip = clip;
    const n = clip.frames.length;
    at("clip-name").textContent = clip.id;
    const every = data.every > 1 ? `, a picture for ${Math.ceil(n / data.every)} of them` : "";
    at("clip-facts").textContent =
      `${clip.scene ? `scene ${clip.scene} · ` : ""}${plural(n, "scored frame")}${every}` +
      ` · filmed at ${+clip.fps.toFixed(2)} a second`;
    at("scrub").max = n - 1;
    listItems.forEach((item, i) => item.button.setAttribute("aria-current", i === clip.index));
    reveal(listItems[clip.index].button);
    openMedia(clip);
    drawPlot();
    drawThreshold();
    showRow(row);
  }

  /** Scroll the list, never the page, to a clip. */
  function reveal(button) {
    const list = at("clips");
    if (list.scrollHeight <= list.clientHeight) return;
    const [box, frame] = [button.getBoundingClientRect(), list.getBoundingClientRect()];
    if (box.top < frame.top) list.scrollTop -= frame.top - box.top;
    else if (box.bottom > frame.bottom) list.scrollTop += box.bottom - frame.bottom;
  }

  function neighbour(step) {
    const next = state.order[state.order.indexOf(state.clip) + step];
    if (next) openClip(next);
  }

  function nextAlarm() {
    const { order, detector: d } = state;
    const from = order.indexOf(state.clip);
    for (let i = 0; i <= order.length; i++) {
      const clip = order[(from + i) % order.length];
      const alarm = alarmsOf(clip, d).find(([first]) => i > 0 || first > state.row);
      if (!alarm) continue;
      if (clip === state.clip) showRow(alarm[0]);
      else openClip(clip, alarm[0]);
      return;
    }
    at("status").textContent = `${detectors[d].name} gives no alarm at this threshold.`;
  }

  // ---- playing ----

  function play() {
    if (state.row >= state.clip.frames.length - 1) showRow(0);
    if (media.shown !== pictureOf(state.row)) seekVideo(pictureOf(state.row));
    state.playing = true;
    drawPlayButton();
    keepPace();
    video.play().catch((error) => error.name === "AbortError" || pause()); // aborted: by a pause
  }

  /** Play as fast as it was filmed. A wait of over 2 s is cut short: no browser plays slower than at a sixteenth. */
  function keepPace() {
    const { seconds } = state.clip;
    const row = pictureOf(state.row) * data.every;
    const wait = seconds[Math.min(row + data.every, seconds.length - 1)] - seconds[row];
    const rate = Math.min(Math.max(Number(at("speed").value) / (wait * data.perSecond), 1 / 16), 16);
    if (Math.abs(rate / video.playbackRate - 1) > 0.01) video.playbackRate = rate;
  }

  function pause() {
    if (!state.playing) return;
    state.playing = false;
    video.pause();
    drawPlayButton();
    showRow(state.row);
  }

  function drawPlayButton() {
    at("play").setAttribute("aria-label", state.playing ? "Pause" : "Play");
    at("play").replaceChildren(icon(state.playing ? "M2 1h4v12H2zM8 1h4v12H8z" : "M3 1l10 6-10 6z"));
  }

  function icon(path) {
    const drawing = shape("svg", { viewBox: "0 0 14 14", "aria-hidden": "true" });
    drawing.append(shape("path", { d: path }));
    return drawing;
  }

  /** Go to a row by hand: playing, if it is on, goes on from there. */
  function seek(row) {
    showRow(row);
    if (state.playing) seekVideo(pictureOf(state.row));
  }

  // ---- the list ----

  const listItems = clips.map((clip) => {
    const item = element("li");
    const button = element("button", "", { type: "button" });
    const spark = shape("svg", { viewBox: "0 0 200 30", preserveAspectRatio: "none", "aria-hidden": "true" });
    const facts = element("span", "", { class: "quiet number" });
    button.append(element("span", clip.id, { class: "name", title: clip.id }), facts, spark);
    button.addEventListener("click", () => {
      at("list").open = wide.matches; // a list that is in the way goes, once it has been used
      openClip(clip);
    });
    item.append(button);
    return { item, button, spark, facts };
  });

  /** Curve, truth and threshold of every clip for the chosen detector; the curves only where they have changed. */
  function drawSparks(withCurves = true) {
    const { detector: d } = state;
    const { low, high } = detectors[d];
    const toY = (z) => 29 - (28 * (z - standard(d, low))) / (standard(d, high) - standard(d, low) || 1);
    const level = Math.min(Math.max(toY(standard(d, thresholds[d])), 1), 29);
    clips.forEach((clip, i) => {
      const { spark, facts } = listItems[i];
      facts.textContent = `max ${digits(clip.scores[d][highest(clip.scores[d])])} · ${plural(alarmsOf(clip, d).length, "alarm")}`;
      if (withCurves) {
        const first = clip.frames[0];
        const toX = (frame) => (200 * (frame - first)) / Math.max(clip.frames.at(-1) - first, 1);
        spark.replaceChildren(
          ...truthOf(clip).map(([from, to]) => shape("rect", {
            x: toX(clip.frames[from]), width: Math.max(toX(clip.frames[to]) - toX(clip.frames[from]), 1), y: 0, height: 30,
          })),
          shape("line", { x1: 0, x2: 200 }),
          shape("path", { d: curve(clip, d, toX, toY) }),
        );
      }
      const line = spark.querySelector("line");
      line.setAttribute("y1", level);
      line.setAttribute("y2", level);
    });
  }

  function sortClips() {
    const { detector: d } = state;
    const names = new Intl.Collator(undefined, { numeric: true });
    const byName = (a, b) => names.compare(a.id, b.id);
    const peak = (clip) => clip.scores[d][highest(clip.scores[d])];
    state.order = [...clips].sort(at("sort").value === "score" ? (a, b) => peak(b) - peak(a) || byName(a, b) : byName);
    at("clips").replaceChildren(...state.order.map((clip) => listItems[clip.index].item));
  }

  // ---- hands ----

  function onKey(event) {
    const { target, key } = event;
    const typed = event.getModifierState("AltGraph"); // [ and ] need it on some keyboards
    if (event.metaKey || ((event.ctrlKey || event.altKey) && !typed)) return;
    const own = target.closest("select, #strength, #threshold");
    if (own && key !== "[" && key !== "]" && key !== "n" && key !== "h" && !(key === " " && own.tagName !== "SELECT")) return;
    if (own && own.tagName === "SELECT") return; // letters choose there
    const button = target.closest("button, summary");
    const isCurrent = button && [button.getAttribute("aria-pressed"), button.getAttribute("aria-current")].includes("true");
    if (key === " " && button && !isCurrent) return; // space presses the button, as everywhere
    const step = (sign) => (event.shiftKey ? secondAway(sign) : state.row + sign);
    const actions = {
      " ": () => (state.playing ? pause() : play()),
      ArrowLeft: () => stepBy(step(-1)),
      ArrowRight: () => stepBy(step(1)),
      Home: () => stepBy(0),
      End: () => stepBy(state.clip.frames.length - 1),
      "[": () => neighbour(-1),
      "]": () => neighbour(1),
      PageUp: () => neighbour(-1),
      PageDown: () => neighbour(1),
      n: nextAlarm,
      h: () => setStrength(state.strength ? 0 : 65),
    };
    const digit = /^[1-9]$/.test(key) && Number(key) <= detectors.length;
    const act = digit ? () => chooseDetector(Number(key) - 1) : Object.hasOwn(actions, key) && actions[key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  function stepBy(row) {
    pause();
    showRow(row);
  }

  /** The row of a frame number, or the next one after it. */
  function rowOf(clip, frame) {
    const after = clip.frames.findIndex((one) => one >= frame);
    return after < 0 ? clip.frames.length - 1 : after;
  }

  function secondAway(sign) {
    const { clip, row } = state;
    const away = clip.seconds.findIndex((one) => one >= clip.seconds[row] + sign - 1e-9);
    return away < 0 ? clip.seconds.length - 1 : sign < 0 ? Math.min(away, Math.max(row - 1, 0)) : Math.max(away, row);
  }

  function setStrength(value) {
    state.strength = value;
    at("strength").value = value;
    drawPicture();
  }

  function rowAt(event) {
    const box = at("plot").getBoundingClientRect();
    const { frames } = state.clip;
    const part = (event.clientX - box.left - MARGIN.left) / (box.width - MARGIN.left - MARGIN.right);
    const wanted = frames[0] + Math.min(Math.max(part, 0), 1) * (frames.at(-1) - frames[0]);
    const after = frames.findIndex((frame) => frame >= wanted);
    return after > 0 && wanted - frames[after - 1] < frames[after] - wanted ? after - 1 : after;
  }

  function whileDragging(node, move) {
    node.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      event.preventDefault();
      event.stopPropagation();
      node.setPointerCapture(event.pointerId);
      move(event);
      node.addEventListener("pointermove", move);
      const end = () => node.removeEventListener("pointermove", move);
      node.addEventListener("pointerup", end, { once: true });
      node.addEventListener("pointercancel", end, { once: true });
    });
  }

  function onThresholdKey(event) {
    const steps = { ArrowUp: 0.05, ArrowRight: 0.05, ArrowDown: -0.05, ArrowLeft: -0.05, PageUp: 0.5, PageDown: -0.5 };
    const z = standard(state.detector, thresholds[state.detector]);
    const to = { Home: range[0], End: range[1] }[event.key] ?? z + steps[event.key];
    if (Number.isNaN(to)) return;
    event.preventDefault();
    event.stopPropagation();
    moveThreshold(to);
  }

  function listen() {
    document.addEventListener("keydown", onKey);
    video.addEventListener("loadedmetadata", () => {
      at("stage").style.setProperty("--ratio", `${video.videoWidth} / ${video.videoHeight}`);
      media.shown = -1;
      drawPicture();
    });
    video.addEventListener("seeked", () => {
      media.timer = setTimeout(() => { // should the browser not tell of the picture: seek again
        media.asked = -1;
        drawPicture();
      }, 500);
    });
    video.addEventListener("ended", () => {
      pause();
      showRow(state.clip.frames.length - 1);
    });
    video.addEventListener("error", () => fail(`The pictures of this clip cannot be shown (${video.error.message}); ${A_BROWSER}.`));
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(onPicture);
    else fail(`The pictures cannot be shown; ${A_BROWSER}.`);
    at("speed").addEventListener("change", keepPace);
    at("play").addEventListener("click", () => (state.playing ? pause() : play()));
    at("back").addEventListener("click", () => stepBy(state.row - 1));
    at("forward").addEventListener("click", () => stepBy(state.row + 1));
    at("next-alarm").addEventListener("click", nextAlarm);
    at("scrub").addEventListener("input", () => seek(Number(at("scrub").value)));
    at("strength").addEventListener("input", () => setStrength(Number(at("strength").value)));
    at("strength").addEventListener("pointerup", () => at("stage").focus()); // so that arrows step again
    at("stage").addEventListener("click", () => (state.playing ? pause() : play()));
    at("sort").addEventListener("change", sortClips);
    at("reset").addEventListener("click", () => {
      thresholds[state.detector] = detectors[state.detector].threshold;
      afterThreshold();
      at("threshold").focus();
    });
    at("threshold").addEventListener("keydown", onThresholdKey);
    whileDragging(at("plot"), (event) => seek(rowAt(event)));
    whileDragging(at("threshold"), (event) => {
      const box = at("plot").getBoundingClientRect();
      const part = (plot.bottom - (event.clientY - box.top)) / (plot.bottom - MARGIN.top);
      at("threshold").focus({ preventScroll: true });
      moveThreshold(range[0] + part * (range[1] - range[0]));
    });
    new ResizeObserver(() => {
      drawPlot();
      drawThreshold();
      showRow(state.row);
    }).observe(at("watch"));
    prefersDark.addEventListener("change", () => chooseDetector(state.detector));
    window.addEventListener("message", ({ source, data: said }) => { // the page around this one has changed its theme
      if (source !== window.parent || !["dark", "light"].includes(said?.vadlibTheme)) return;
      document.documentElement.dataset.theme = said.vadlibTheme;
      chooseDetector(state.detector);
    });
    const fit = () => (at("list").open = wide.matches);
    wide.addEventListener("change", fit);
    fit();
    window.addEventListener("hashchange", openAddress);
  }

  /** The moment that the address names, as `#CLIP/FRAME`; false if it names none. */
  function openAddress() {
    const [, name, frame] = location.hash.match(/^#(.*)\/(\d+)$/) || [];
    let id = name;
    try {
      id = decodeURIComponent(name);
    } catch {
      return false; // not an address of ours
    }
    const clip = clips.find((one) => one.id === id);
    if (!clip) return false;
    openClip(clip, rowOf(clip, Number(frame)));
    return true;
  }

  function start() {
    at("summary").textContent = data.summary;
    at("list").querySelector("summary").textContent = `Clips (${clips.length})`;
    at("back").append(icon("M10 1L3 7l7 6z"));
    at("forward").append(icon("M4 1l7 6-7 6z"));
    drawBar();
    drawPlayButton();
    listen();
    sortClips();
    const peak = (clip) => clip.scores[0][highest(clip.scores[0])];
    const first = clips.reduce((best, clip) => (peak(clip) > peak(best) ? clip : best));
    if (!openAddress()) openClip(first, highest(first.scores[0]));
    chooseDetector(0);
  }

  start();
})();
