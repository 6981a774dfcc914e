"""`python -m quant`: quantise a trained model, say what it costs, write build/<config>/quant/."""

from __future__ import annotations

import os

from configs import cli
from quant import keep, pipeline, report_page, storage


def main() -> None:
    parser = cli.parser(
        "quant",
        "Quantise a trained model to integers; print the formats and what the integers lose "
        "against float on held-out text (mean ± standard error); write build/<config>/quant/.",
    )
    parser.add_argument(
        "--text", help="the text that the model was trained on, if not the config's"
    )
    parser.add_argument(
        "--calibration-text", metavar="FILE", help="choose formats on this text instead"
    )
    parser.add_argument(
        "--force", action="store_true", help="replace what make qat trained, if there is such"
    )
    args = parser.parse_args()
    config = cli.load_config(args)
    if not args.force and keep.kept(config, args.calibration_text):
        return
    trained, task = pipeline.load_trained(config)
    folded, stats = pipeline.prepare(config, trained, task, args.calibration_text)
    qm = pipeline.build(config, trained, task, folded, stats)
    result = pipeline.report(config, trained, task, folded, qm)
    folder = config.build_dir / "quant"
    qm.save(folder, result, report_page.render(result))
    print(pipeline.describe(result))
    page = os.path.relpath(folder / storage.PAGE_NAME)
    print(f"\nwritten to {os.path.dirname(page)}; {page} shows what costs how much")


if __name__ == "__main__":
    cli.run(main)
