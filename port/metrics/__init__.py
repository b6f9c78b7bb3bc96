"""How close two pictures are: PSNR and SSIM as super-resolution papers count them."""
