// What the server behind this page takes: {bytes, pixels, suffixes: {".jpg": "JPEG", ...}, token}. A page of files alone has
// no server, and asks nobody whether there is one; `clairvoy serve` hands out this file with its own limits in it.
export default null;
