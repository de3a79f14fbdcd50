"""In public: notices, the working calendar they are counted by, objections."""
