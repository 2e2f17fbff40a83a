"""An image becomes a small network: writes astronaut.sasnet, and the image at 8 times its size.

python samples/fit_image.py
"""

from PIL import Image
from skimage.data import astronaut

import sasnet_sdf

image = astronaut()[::8, ::8]  # (64, 64, 3) uint8, a photograph that scikit-image includes
fitted = sasnet_sdf.fit_image(image, preset="fast", steps=200)
fitted.save("astronaut.sasnet")

enlarged = fitted.render(scale=8).values  # (512, 512, 3) uint8
Image.fromarray(enlarged).save("astronaut_x8.png")

assert fitted.report is not None
parameters, psnr = fitted.report["training"]["parameters"], fitted.report["metrics"]["psnr"]
print(f"astronaut.sasnet: {parameters:,} parameters for {image.size:,} numbers, PSNR {psnr:.1f} dB")
print(f"astronaut_x8.png: {enlarged.shape[1]} x {enlarged.shape[0]} pixels")
