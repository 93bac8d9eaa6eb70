"""All benchmarks, one after another: `python -m benchmarks`."""

from benchmarks import quality

if __name__ == "__main__":
    quality.main()
