/* Looks around in a panorama: one fragment shader finds, for each pixel of the view, what the sphere shows there. */
(function () {
'use strict';
var told = JSON.parse(document.getElementById('report').textContent);
var stage = document.getElementById('stage'), spots = document.getElementById('spots');
var canvas = stage.querySelector('canvas'), say = document.getElementById('say');
var clear = document.getElementById('clear'), trust = document.getElementById('trust'), step = document.getElementById('step');
var fade = document.getElementById('fade'), number = document.getElementById('number'), right = document.getElementById('right');
var gl = canvas.getContext('webgl', {xrCompatible: true, antialias: false, preserveDrawingBuffer: true});
if (!gl) { say.textContent = 'This browser has no WebGL, which the view needs.'; return; }

var VERTEX = 'attribute vec2 at;varying vec2 v;void main(){v=at;gl_Position=vec4(at,0.,1.);}';
var FRAGMENT = [
  'precision highp float;varying vec2 v;',
  'uniform sampler2D before,after,tau,made,sure;uniform mat3 turn,level;uniform vec4 lens,part;uniform float mixed,trusted,guessed;',
  'const float PI=3.14159265;',
  'void main(){',
  // Of the plane one unit ahead: where this pixel looks, turned like the head.
  'vec3 d=normalize(level*turn*vec3((v.x+lens.y)*lens.x,(v.y+lens.w)*lens.z,-1.));',
  'float lon=atan(d.x,-d.z),lat=asin(clamp(d.y,-1.,1.));',
  'vec2 whole=vec2(fract(lon/(2.*PI)+.5),.5-lat/PI);',
  'vec2 p=vec2(lon/part.z+.5,(part.x-lat)/(part.x-part.y));',
  'bool outside=p.x<0.||p.x>1.||p.y<0.||p.y>1.;',
  'vec3 c=mix(texture2D(before,p).rgb,texture2D(after,p).rgb,mixed);',
  'float t=texture2D(tau,p).r;',
  'c=mix(c,mix(vec3(.78,.16,.24),vec3(.1,.55,.85),t),trusted*.7);',
  'if(outside)c=vec3(.07);',
  'vec3 g=texture2D(made,whole).rgb;float s=texture2D(sure,whole).r;',
  'c=mix(c,mix(g,vec3(dot(g,vec3(.33))),.75*(1.-s)),guessed);',
  'gl_FragColor=vec4(c,1.);}'
].join('\n');

function shader(kind, text) {
  var made = gl.createShader(kind);
  gl.shaderSource(made, text); gl.compileShader(made);
  if (!gl.getShaderParameter(made, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(made));
  return made;
}
var program = gl.createProgram();
gl.attachShader(program, shader(gl.VERTEX_SHADER, VERTEX));
gl.attachShader(program, shader(gl.FRAGMENT_SHADER, FRAGMENT));
gl.bindAttribLocation(program, 0, 'at');
gl.linkProgram(program); gl.useProgram(program);
gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 3, -1, -1, 3]), gl.STATIC_DRAW);
gl.enableVertexAttribArray(0);
gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
function place(name) { return gl.getUniformLocation(program, name); }
var at = {};
['turn', 'level', 'lens', 'part', 'mixed', 'trusted', 'guessed'].forEach(function (name) { at[name] = place(name); });

var NAMES = ['before', 'after', 'tau', 'made', 'sure'], waiting = 0;
var LARGEST = gl.getParameter(gl.MAX_TEXTURE_SIZE);
NAMES.forEach(function (name, unit) {
  gl.uniform1i(place(name), unit);
  gl.activeTexture(gl.TEXTURE0 + unit); gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, 1, 1, 0, gl.RGB, gl.UNSIGNED_BYTE, new Uint8Array([255, 255, 255]));
  [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T].forEach(function (side) { gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE); });
  [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER].forEach(function (how) { gl.texParameteri(gl.TEXTURE_2D, how, gl.LINEAR); });
});
/* WebGL 1 repeats only textures whose sides are powers of two: a picture that closes is drawn at such a size. */
function fitted(length, closed) {
  return Math.min(LARGEST, closed ? Math.pow(2, Math.ceil(Math.log2(length))) : length);
}
function show(name, source, closed) {
  if (!source) return;
  var image = new Image();
  waiting += 1;
  image.onload = function () {
    var unit = NAMES.indexOf(name), drawn = document.createElement('canvas');
    drawn.width = fitted(image.naturalWidth, closed); drawn.height = fitted(image.naturalHeight, closed);
    drawn.getContext('2d').drawImage(image, 0, 0, drawn.width, drawn.height);
    gl.activeTexture(gl.TEXTURE0 + unit);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, gl.RGB, gl.UNSIGNED_BYTE, drawn);
    if (closed) gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.REPEAT);
    waiting -= 1; draw();
    document.documentElement.dataset.ready = waiting ? '' : 'yes';
  };
  image.onerror = function () { say.textContent = 'A picture of this page cannot be shown; make the page again.'; };
  image.src = source;
}

/* Where the head is turned: yaw to the right, pitch up, both in radians; `device` replaces them on a phone. */
var head = {yaw: told.viewpoint.heading, pitch: told.viewpoint.pitch, view: 1.4}, device = null, session = null;
/* From the world to the picture of a camera that was tilted up and rolled; by columns. */
var level = (function (tilt, roll) {
  var c = Math.cos(tilt), s = Math.sin(tilt), cr = Math.cos(roll), sr = Math.sin(roll);
  return [cr, sr, 0, -sr * c, cr * c, -s, -sr * s, cr * s, c];
})(told.viewpoint.tilt, told.viewpoint.roll);
function rotation() {
  if (device) return device;
  var y = head.yaw, p = head.pitch, cy = Math.cos(y), sy = Math.sin(y), cp = Math.cos(p), sp = Math.sin(p);
  // Columns: what right, up and backward become.
  return [cy, 0, sy, -sy * sp, cp, cy * sp, -sy * cp, -sp, cy * cp];
}
function uniforms() {
  gl.uniformMatrix3fv(at.level, false, level);
  gl.uniform4f(at.part, told.part.top, told.part.bottom, told.part.across, 0);
  gl.uniform1f(at.mixed, clear.value / 100);
  gl.uniform1f(at.trusted, trust.checked ? 1 : 0);
  gl.uniform1f(at.guessed, step ? fade.value / 100 : 0);
}
var asked = false;
function draw() {
  if (asked || session) return;
  asked = true;
  requestAnimationFrame(function () {
    asked = false;
    var ratio = Math.min(2, window.devicePixelRatio || 1);
    var width = Math.round(stage.clientWidth * ratio), height = Math.round(stage.clientHeight * ratio);
    if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
    gl.viewport(0, 0, width, height);
    var tall = Math.tan(head.view / 2) * Math.min(1, 1.4 * height / width), wide = tall * width / height;
    gl.uniformMatrix3fv(at.turn, false, rotation());
    gl.uniform4f(at.lens, wide, 0, tall, 0);
    uniforms();
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    mark(wide, tall);
    trustHere();
  });
}
/* Where in the world a place of the picture is. */
function ahead(place) {
  var lon = place.longitude, lat = place.latitude;
  var d = [Math.sin(lon) * Math.cos(lat), Math.sin(lat), -Math.cos(lon) * Math.cos(lat)];
  return [0, 3, 6].map(function (k) { return level[k] * d[0] + level[k + 1] * d[1] + level[k + 2] * d[2]; });
}
/* How much of what is imagined is right where one looks: tau of the nearest direction. */
function trustHere() {
  if (!right) return;
  var m = rotation(), best = null, most = -2;
  told.completions[Number(step.value)].directions.forEach(function (one) {
    var d = ahead(one), near = -(m[6] * d[0] + m[7] * d[1] + m[8] * d[2]);
    if (near > most) { most = near; best = one; }
  });
  right.textContent = best.tau > 0.999 ? 'was looked at' : Math.round(100 * best.tau) + ' % of what is imagined here should be right';
}
/* The glimpses so far, where they are in the view. */
function mark(wide, tall) {
  var m = rotation();
  told.glimpses.forEach(function (glimpse, k) {
    var spot = spots.children[k], d = ahead(glimpse);
    var x = m[0] * d[0] + m[1] * d[1] + m[2] * d[2], y = m[3] * d[0] + m[4] * d[1] + m[5] * d[2];
    var z = m[6] * d[0] + m[7] * d[1] + m[8] * d[2], taken = k < Number(step.value);
    spot.hidden = z >= -0.05 || !taken;
    if (!spot.hidden) {
      spot.style.left = 50 * (1 + x / -z / wide) + '%';
      spot.style.top = 50 * (1 - y / -z / tall) + '%';
    }
  });
}

function turn(yaw, pitch) {
  device = null;
  head.yaw += yaw;
  head.pitch = Math.max(-Math.PI / 2, Math.min(Math.PI / 2, head.pitch + pitch));
  draw();
}
function zoom(factor) { head.view = Math.max(0.35, Math.min(2.2, head.view * factor)); draw(); }
var held = {}, apart = 0;
stage.addEventListener('pointerdown', function (event) { held[event.pointerId] = event; stage.setPointerCapture(event.pointerId); });
stage.addEventListener('pointermove', function (event) {
  var before = held[event.pointerId];
  if (!before) return;
  held[event.pointerId] = event;
  var all = Object.keys(held).map(function (key) { return held[key]; });
  if (all.length === 2) {
    var now = Math.hypot(all[0].clientX - all[1].clientX, all[0].clientY - all[1].clientY);
    if (apart) zoom(apart / now);
    apart = now;
    return;
  }
  var scale = head.view / stage.clientHeight;
  turn((before.clientX - event.clientX) * scale, (event.clientY - before.clientY) * scale);
});
['pointerup', 'pointercancel'].forEach(function (name) {
  stage.addEventListener(name, function (event) { delete held[event.pointerId]; apart = 0; });
});
stage.addEventListener('wheel', function (event) { event.preventDefault(); zoom(Math.exp(event.deltaY / 800)); }, {passive: false});
var KEYS = {ArrowLeft: [-.12, 0], ArrowRight: [.12, 0], ArrowUp: [0, .12], ArrowDown: [0, -.12]};
stage.addEventListener('keydown', function (event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (KEYS[event.key]) turn(KEYS[event.key][0], KEYS[event.key][1]);
  else if (event.key === '+' || event.key === '=') zoom(.85);
  else if (event.key === '-') zoom(1 / .85);
  else if (event.key === ' ') { clear.value = Number(clear.value) > 50 ? 0 : 100; draw(); }
  else return;
  event.preventDefault();
});
[clear, trust].forEach(function (one) { one.addEventListener('input', draw); });
if (step) {
  fade.addEventListener('input', draw);
  step.addEventListener('input', function () {
    number.textContent = step.value;
    guess();
  });
}
function guess() {
  var made = told.completions[Number(step.value)];
  show('made', made.picture, true); show('sure', made.sure, true);
  draw();
}
window.addEventListener('resize', draw);

/* A phone that is turned turns the view: the rotation from its axes to the world's, and the screen's own turn. */
var phone = document.getElementById('phone');
if ('DeviceOrientationEvent' in window && (navigator.maxTouchPoints || 0) > 0) phone.hidden = false;
phone.addEventListener('click', function () {
  var ask = window.DeviceOrientationEvent && DeviceOrientationEvent.requestPermission;
  Promise.resolve(ask ? DeviceOrientationEvent.requestPermission() : 'granted').then(function (answer) {
    if (answer !== 'granted') { say.textContent = 'The phone does not say how it is turned.'; return; }
    window.addEventListener('deviceorientation', function (event) {
      if (event.alpha === null) return;
      var angle = ((screen.orientation && screen.orientation.angle) || 0) * Math.PI / 180;
      device = ofPhone(event.alpha * Math.PI / 180, event.beta * Math.PI / 180, event.gamma * Math.PI / 180, angle);
      draw();
    });
  });
});
/* W3C Device Orientation: Z-X'-Y'' angles in a world of east, north, up; ours is right, up, back (south). */
function ofPhone(a, b, g, angle) {
  var ca = Math.cos(a), sa = Math.sin(a), cb = Math.cos(b), sb = Math.sin(b), cg = Math.cos(g), sg = Math.sin(g);
  var east = [ca * cg - sa * sb * sg, -sa * cb, ca * sg + sa * sb * cg];
  var north = [sa * cg + ca * sb * sg, ca * cb, sa * sg - ca * sb * cg];
  var up = [-cb * sg, sb, cb * cg];
  var c = Math.cos(angle), s = Math.sin(angle);
  function column(x, y, z) {
    function along(row) { return row[0] * x + row[1] * y + row[2] * z; }
    return [along(east), along(up), -along(north)];
  }
  return column(c, -s, 0).concat(column(s, c, 0), column(0, 0, 1));
}

/* A headset: each eye has its own lens and turn; nothing is near, so where the eyes are says nothing. */
var headset = document.getElementById('headset');
if (navigator.xr && navigator.xr.isSessionSupported) {
  navigator.xr.isSessionSupported('immersive-vr').then(function (there) { headset.hidden = !there; }, function () {});
}
headset.addEventListener('click', function () {
  navigator.xr.requestSession('immersive-vr').then(function (begun) {
    session = begun;
    session.updateRenderState({baseLayer: new XRWebGLLayer(session, gl)});
    session.addEventListener('end', function () { session = null; gl.bindFramebuffer(gl.FRAMEBUFFER, null); draw(); });
    session.addEventListener('select', function () { clear.value = Number(clear.value) > 50 ? 0 : 100; });
    return session.requestReferenceSpace('local').then(function (space) {
      session.requestAnimationFrame(function frame(time, now) {
        session && session.requestAnimationFrame(frame);
        var pose = now.getViewerPose(space);
        if (!pose) return;
        var layer = now.session.renderState.baseLayer;
        gl.bindFramebuffer(gl.FRAMEBUFFER, layer.framebuffer);
        uniforms();
        pose.views.forEach(function (view) {
          var port = layer.getViewport(view), p = view.projectionMatrix, m = view.transform.matrix;
          gl.viewport(port.x, port.y, port.width, port.height);
          gl.uniformMatrix3fv(at.turn, false, [m[0], m[1], m[2], m[4], m[5], m[6], m[8], m[9], m[10]]);
          gl.uniform4f(at.lens, 1 / p[0], p[8], 1 / p[5], p[9]);
          gl.drawArrays(gl.TRIANGLES, 0, 3);
        });
      });
    });
  }).catch(function (error) { say.textContent = 'The headset does not start: ' + error.message; });
});

var closed = told.part.across > 6.27;
show('before', told.before, closed); show('after', told.after, closed); show('tau', told.tau, closed);
if (step) guess();
draw();
})();
