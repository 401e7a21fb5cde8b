#!/bin/sh
# A GIMP file of a photograph: as it was below, restored above, and the confidence as the mask of the upper layer, so that
# what is a guess stays as it was. Paint on the mask to decide otherwise.
#
#     sh layers.sh foggy.jpg foggy.xcf
#
# Needs clairvoy and GIMP 2.10.
set -eu
[ $# -eq 2 ] || { echo "usage: sh layers.sh PHOTOGRAPH FILE.xcf" >&2; exit 2; }
between=$(mktemp -d)
trap 'rm -rf "$between"' EXIT
clairvoy clear -q "$1" -o "$between/clear.png" --tau-map "$between/tau.png"
# Names reach the script as they are: a quote or a backslash in one must not end a string.
quoted() { printf '%s' "$1" | sed 's/[\\"]/\\&/g'; }
gimp -i -d -f -b "
(let* ((image (car (gimp-file-load RUN-NONINTERACTIVE \"$(quoted "$1")\" \"\")))
       (clear (car (gimp-file-load-layer RUN-NONINTERACTIVE image \"$between/clear.png\")))
       (tau (car (gimp-file-load-layer RUN-NONINTERACTIVE image \"$between/tau.png\"))))
  (gimp-image-insert-layer image clear 0 0)
  (gimp-item-set-name clear \"restored\")
  (gimp-image-insert-layer image tau 0 0)
  ; GIMP takes the grey of a layer for light on a screen and a mask for a share: the gamma undoes that.
  (gimp-drawable-levels tau HISTOGRAM-VALUE 0 1 FALSE 2.2 0 1 FALSE)
  (gimp-layer-add-mask clear (car (gimp-layer-create-mask tau ADD-MASK-COPY)))
  (gimp-image-remove-layer image tau)
  (gimp-xcf-save 0 image clear \"$(quoted "$2")\" \"$(quoted "$2")\"))" -b "(gimp-quit 0)" >&2
[ -s "$2" ]
