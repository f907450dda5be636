# The addon, built by node-gyp. native/sources.txt is the one list of native sources: CMakeLists.txt reads it too (less
# native/addon), so that the tests run the very files that production runs.
{
  "targets": [
    {
      "target_name": "faild",
      "sources": ["<!@(grep -v '^#' native/sources.txt)"],
      "include_dirs": ["native"],
      "defines": [
        "NAPI_VERSION=9",
        "NAPI_DISABLE_CPP_EXCEPTIONS",
        "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS",
      ],
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++20", "-fno-omit-frame-pointer"],
      "cflags_cc": [
        "-std=c++20", "-fno-exceptions", "-fno-rtti", "-fvisibility=hidden",
        # As a system header: its warnings are not ours.
        "-isystem", "<!(node -p \"path.resolve(require('node-addon-api').include_dir)\")",
        "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow",
      ],
    },
  ],
}
