"""`its-gateway calibrate`: labelled answers in, calibration maps out."""
