"""`python -m sasnet_sdf` is `sasnet-sdf`."""

from .cli.main import main

if __name__ == "__main__":
    main()
