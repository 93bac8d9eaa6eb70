"""All benchmarks, one after another: `python -m benchmarks`."""

from benchmarks import quality, reference

if __name__ == "__main__":
    quality.main()
    reference.main()
