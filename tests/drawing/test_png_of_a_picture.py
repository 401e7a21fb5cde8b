"""What is encoded is what comes back."""

import cv2
import numpy as np

from clairvoy.drawing.png import map_png, picture_png


def test_a_map_keeps_its_values_to_16_bits():
    values = np.float32([[0.0, 0.25, 1.0], [-3.0, 7.0, 1 / 65535]])
    decoded = cv2.imdecode(np.frombuffer(map_png(values), np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded.tolist() == [[0, 16384, 65535], [0, 65535, 1]]


def test_a_picture_keeps_its_channel_order():
    rgb = np.uint8([[[255, 10, 0]]])
    assert cv2.imdecode(np.frombuffer(picture_png(rgb), np.uint8), cv2.IMREAD_COLOR)[0, 0].tolist() == [
        0,
        10,
        255,
    ]
