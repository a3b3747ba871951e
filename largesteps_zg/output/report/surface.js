// A surface to turn: colours, bare, wires, normals. WebGL 2, nothing from elsewhere.
"use strict";
(() => {
  const stage = document.getElementById("stage"), told = document.getElementById("surface");
  if (!stage || !told) return;
  const data = JSON.parse(told.textContent), canvas = stage.querySelector("canvas");
  const gl = canvas.getContext("webgl2", { antialias: true, preserveDrawingBuffer: true });
  if (!gl) { stage.classList.add("without"); return; }

  const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0)).buffer;
  const positions = new Uint16Array(bytes(data.positions)), faces = new Uint32Array(bytes(data.faces));

  // Normals at vertices: sums of those of the faces, as long as the faces are large.
  const normals = new Float32Array(positions.length);
  for (let f = 0; f < faces.length; f += 3) {
    const [a, b, c] = [3 * faces[f], 3 * faces[f + 1], 3 * faces[f + 2]];
    const u = [0, 1, 2].map(i => positions[b + i] - positions[a + i]);
    const v = [0, 1, 2].map(i => positions[c + i] - positions[a + i]);
    for (let i = 0; i < 3; i++) {
      const n = u[(i + 1) % 3] * v[(i + 2) % 3] - u[(i + 2) % 3] * v[(i + 1) % 3];
      for (const at of [a, b, c]) normals[at + i] += n;
    }
  }
  // A texture cuts the surface open: vertices in one place get one normal.
  if (data.places) {
    const sums = new Map(), key = i => positions[i] + 65536 * (positions[i + 1] + 65536 * positions[i + 2]);
    for (let i = 0; i < positions.length; i += 3) {
      const sum = sums.get(key(i)) || [0, 0, 0];
      sums.set(key(i), sum.map((value, j) => value + normals[i + j]));
    }
    for (let i = 0; i < positions.length; i += 3) normals.set(sums.get(key(i)), i);
  }
  // Each edge once: the half-edges of a closed surface that run from the lower number to the higher one, and rims.
  const edges = (() => {
    const half = new Set(), pairs = [], key = (a, b) => a * data.vertices + b;
    for (let f = 0; f < faces.length; f++) half.add(key(faces[f], faces[f % 3 === 2 ? f - 2 : f + 1]));
    for (let f = 0; f < faces.length; f++) {
      const a = faces[f], b = faces[f % 3 === 2 ? f - 2 : f + 1];
      if (a < b || !half.has(key(b, a))) pairs.push(a, b);
    }
    return new Uint32Array(pairs);
  });

  const VERTEX = `#version 300 es
    in vec3 position; in vec3 normal; in vec3 color; in vec2 place;
    uniform mat3 turn; uniform vec3 shift; uniform vec4 lens; uniform float nearer;
    out vec3 seen, across, paint; out vec2 at;
    void main() {
      seen = turn * (position * 2.0 - 1.0) + shift;
      across = turn * normal; paint = color; at = place;
      gl_Position = vec4(lens.x * seen.x, lens.y * seen.y, lens.z * seen.z + lens.w, -seen.z);
      gl_Position.z -= nearer * gl_Position.w;
    }`;
  const FRAGMENT = `#version 300 es
    precision highp float;
    in vec3 seen, across, paint; in vec2 at;
    uniform int mode; uniform bool textured; uniform sampler2D image;
    uniform vec3 clay, warning, toward[3], gloss; uniform float strength[3];
    out vec4 shown;
    vec3 linear(vec3 c) { return mix(c / 12.92, pow((c + 0.055) / 1.055, vec3(2.4)), step(0.04045, c)); }
    vec3 encoded(vec3 c) { return mix(12.92 * c, 1.055 * pow(c, vec3(1.0 / 2.4)) - 0.055, step(0.0031308, c)); }
    // What a glossy surface mirrors of the lamps, by GGX, and of a bright room above a darker floor.
    vec3 mirrored(vec3 n, vec3 albedo) {
      vec3 v = normalize(-seen), straight = mix(vec3(gloss.z), albedo, gloss.y), found = vec3(0);
      float a = max(gloss.x * gloss.x, 0.01), nv = max(dot(n, v), 1e-3);
      for (int i = 0; i < 3; i++) {
        vec3 l = normalize(toward[i]), h = normalize(l + v);
        float nl = max(dot(n, l), 0.0), nh = max(dot(n, h), 0.0), d = a / (1.0 + (a * a - 1.0) * nh * nh);
        float joint = 0.5 / (nl * mix(nv, 1.0, a) + nv * mix(nl, 1.0, a) + 1e-4);
        found += strength[i] * nl * d * d * joint * (straight + (1.0 - straight) * pow(1.0 - dot(v, h), 5.0));
      }
      float above = smoothstep(-gloss.x - 0.1, gloss.x + 0.1, reflect(-v, n).y);
      vec3 edge = straight + (max(vec3(1.0 - gloss.x), straight) - straight) * pow(1.0 - nv, 5.0);
      return found + edge * mix(0.12, 0.75, above);
    }
    void main() {
      vec3 flat_ = normalize(cross(dFdx(seen), dFdy(seen)));
      vec3 smooth_ = normalize(gl_FrontFacing ? across : -across);
      vec3 n = mode == 0 ? smooth_ : flat_;
      float light = 0.06;
      for (int i = 0; i < 3; i++) light += strength[i] * max(0.0, dot(n, normalize(toward[i])));
      vec3 albedo = linear(textured ? texture(image, at).rgb : paint);
      vec3 bare = (gl_FrontFacing ? clay : warning) * light;
      if (mode == 0) {
        vec3 color = albedo * (1.0 - gloss.y) * (0.45 + 0.75 * light);
        if (gloss.z > 0.0) color += mirrored(smooth_, albedo);
        shown = vec4(encoded(min(color, 1.0)), 1);
      }
      else if (mode == 1) shown = vec4(encoded(min(bare, 1.0)), 1);
      else if (mode == 2) shown = vec4(0.5 + 0.5 * smooth_, 1);
      else shown = 0.6 * vec4(0.02, 0.12, 0.3, 1);
    }`;
  const program = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text); gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
  gl.useProgram(program);
  const uniform = name => gl.getUniformLocation(program, name);

  const attribute = (name, values, width, type, scaled) => {
    const at = gl.getAttribLocation(program, name);
    if (at < 0) return;
    if (!values) { gl.vertexAttrib3f(at, 0.75, 0.75, 0.75); return; }
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
    gl.enableVertexAttribArray(at);
    gl.vertexAttribPointer(at, width, type, scaled, 0, 0);
  };
  // Rows of three bytes do not begin at multiples of four, which some drivers want.
  const padded = (values, width) => {
    const count = values.length / width, made = new values.constructor(4 * count);
    for (let i = 0; i < count; i++) for (let j = 0; j < width; j++) made[4 * i + j] = values[width * i + j];
    return made;
  };
  const four = (name, values, type) => values && attribute(name, padded(values, 3), 4, type, true);
  four("position", positions, gl.UNSIGNED_SHORT);
  attribute("normal", normals, 3, gl.FLOAT, false);
  if (data.colors) four("color", new Uint8Array(bytes(data.colors)), gl.UNSIGNED_BYTE);
  else attribute("color", null);
  if (data.places) attribute("place", new Uint16Array(bytes(data.places)), 2, gl.UNSIGNED_SHORT, true);
  const buffer = indices => {
    const made = gl.createBuffer();
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, made);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, indices, gl.STATIC_DRAW);
    return { made, count: indices.length };
  };
  const triangles = buffer(faces);
  let wires = null;
  gl.uniform3fv(uniform("clay"), data.clay);
  gl.uniform3fv(uniform("warning"), data.warning);
  gl.uniform3fv(uniform("gloss"), data.gloss || [1, 0, 0]);
  gl.uniform3fv(uniform("toward"), data.lights.flatMap(light => light[0]));
  gl.uniform1fv(uniform("strength"), data.lights.map(light => light[1]));
  if (data.image) {
    const image = new Image();
    image.onload = () => {
      gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, image);
      gl.generateMipmap(gl.TEXTURE_2D);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
      gl.uniform1i(uniform("textured"), 1);
      again();
    };
    image.src = data.image;
  }

  const FOCAL = 2.6; // of a picture whose shorter side goes from -1 to 1
  const home = () => {
    const [x, y, z] = data.from, flat = Math.hypot(x, z);
    return { yaw: Math.atan2(x, z), pitch: Math.max(-1.2, Math.min(1.2, Math.atan2(y, flat))), away: 2.8 };
  };
  let eye = home(), mode = 0, waiting = false;

  function draw() {
    waiting = false;
    const ratio = devicePixelRatio || 1, width = canvas.clientWidth * ratio | 0, height = canvas.clientHeight * ratio | 0;
    if (!width || !height) return;
    if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.enable(gl.DEPTH_TEST);
    const [c, s, d, t] = [Math.cos(eye.yaw), Math.sin(eye.yaw), Math.cos(eye.pitch), Math.sin(eye.pitch)];
    // Rows: right, up and towards the eye, of the world turned by -yaw and tipped by pitch; WebGL wants columns.
    gl.uniformMatrix3fv(uniform("turn"), false, [c, -s * t, s * d, 0, d, t, -s, -c * t, c * d]);
    gl.uniform3f(uniform("shift"), 0, 0, -eye.away);
    const near = Math.max(0.01, eye.away - 1.1), far = eye.away + 1.1;
    const aspect = width / height;
    gl.uniform4f(uniform("lens"), FOCAL / Math.max(aspect, 1), FOCAL * Math.min(aspect, 1),
      -(far + near) / (far - near), -2 * far * near / (far - near));
    gl.uniform1i(uniform("mode"), mode === 3 ? 1 : mode);
    gl.uniform1f(uniform("nearer"), 0);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, triangles.made);
    gl.drawElements(gl.TRIANGLES, triangles.count, gl.UNSIGNED_INT, 0);
    if (mode === 3) {
      wires = wires || buffer(edges());
      gl.uniform1i(uniform("mode"), 3);
      gl.uniform1f(uniform("nearer"), 0.001); // of the depths from near to far: not hidden by their own triangles
      gl.enable(gl.BLEND);
      gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, wires.made);
      gl.drawElements(gl.LINES, wires.count, gl.UNSIGNED_INT, 0);
      gl.disable(gl.BLEND);
    }
  }
  const again = () => { if (!waiting) { waiting = true; requestAnimationFrame(draw); } };
  const turn = (x, y) => {
    eye.yaw -= x;
    eye.pitch = Math.max(-1.57, Math.min(1.57, eye.pitch + y));
    again();
  };
  const zoom = factor => { eye.away = Math.max(0.4, Math.min(12, eye.away * factor)); again(); };

  const down = new Map();
  const apart = () => { const [a, b] = [...down.values()]; return Math.hypot(a.x - b.x, a.y - b.y); };
  canvas.addEventListener("pointerdown", e => {
    canvas.setPointerCapture(e.pointerId);
    down.set(e.pointerId, { x: e.clientX, y: e.clientY });
  });
  canvas.addEventListener("pointermove", e => {
    const old = down.get(e.pointerId);
    if (!old) return;
    const before = down.size === 2 ? apart() : 0;
    down.set(e.pointerId, { x: e.clientX, y: e.clientY });
    if (down.size === 1) turn(0.01 * (e.clientX - old.x), 0.01 * (e.clientY - old.y));
    else if (down.size === 2 && apart() > 0) zoom(before / apart());
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, e => down.delete(e.pointerId));
  // The wheel scrolls the page until the surface was clicked.
  canvas.addEventListener("wheel", e => {
    if (document.activeElement !== canvas) return;
    e.preventDefault();
    zoom(Math.exp(0.001 * e.deltaY));
  }, { passive: false });
  const keys = { ArrowLeft: [0.1, 0], ArrowRight: [-0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] };
  canvas.addEventListener("keydown", e => {
    if (keys[e.key]) turn(...keys[e.key]);
    else if (e.key === "+") zoom(0.9);
    else if (e.key === "-") zoom(1.1);
    else return;
    e.preventDefault();
  });
  for (const button of stage.querySelectorAll("input")) {
    button.addEventListener("change", () => { mode = Number(button.value); again(); });
    if (button.checked) mode = Number(button.value);
  }
  stage.querySelector("button").addEventListener("click", () => { eye = home(); again(); });
  canvas.addEventListener("dblclick", () => { eye = home(); again(); });
  new ResizeObserver(again).observe(canvas);
  again();
})();
